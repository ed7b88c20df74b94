"""Strikes secrets out of what leaves the process: log lines, traces, dead letters, error texts.

By value, not by place: the shapes that tokens, keys, signatures and URLs with passwords have
(SHAPES), whatever follows a name that only secrets have, and the configured secrets themselves
(`know`). Too much struck is a nuisance, too little a leak. Pure but for what it was told to know.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from urllib.parse import quote, quote_plus, unquote, urlsplit

from webapp.secret import MASK, Secret

KNOWN_MIN = 8
"""A shorter secret isn't struck: it would be found in every other word, and shown by the gaps."""
WORD_MIN = 16
"""The same for one of letters alone, such as `postgres`."""

REMEMBERED_MAX = 40  # characters of a text whose scrubbing is remembered: names, above all

_NAMES = (
    r"(?:pass(?:word|wd|phrase)?|pwd|secret(?:[_-]?key)?|client[_-]?secret|private[_-]?key"
    r"|api[_-]?keys?|(?:access|refresh|id|auth|csrf|private|session)[_-]?token|token|signature"
    r"|x-hub-signature(?:-256)?|x-csrf-token|sessionid)"
)
"""What is said right after one of these is a secret."""
_QUOTED = r"(\\[\"'])(?:(?!(?<!\\)\\[\"'])[^\r\n])*|(\")(?:[^\"\\\r\n]|\\.)*|(')(?:[^'\\\r\n]|\\.)*"
"""A value in quotes, its end not included; the groups are how it begins."""

SHAPES: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = (
    # A private key, its lines real or written as \n, whole or cut off.
    (
        ("private key-----",),
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.DOTALL),
        MASK,
    ),
    # A header's whole value: in a repr or in JSON up to its quote, else up to the line's end.
    (
        ("authorization", "cookie"),
        re.compile(
            r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)"
            rf"(\\?[\"']\s*[:=,]\s*|\s*[:=]\s*)(?:{_QUOTED}|[^\s\"'][^\r\n\"']*)"
        ),
        rf"\1\2\3\4\5{MASK}",
    ),
    (
        ("bearer", "digest", "negotiate"),
        re.compile(r"(?i)\b(?:bearer|digest|negotiate)\s+[^\s\"',;]{8,}"),
        MASK,
    ),
    # base64, not the next word of a sentence
    (
        ("basic",),
        re.compile(r"\b[Bb](?:asic|ASIC)\s+(?=\S*(?:[0-9=]|\w[A-Z]))[\w+/=-]{8,}"),
        MASK,
    ),
    # Tokens of GitHub's, and keys of ours. Within a word only at full length: `weighs_more`.
    (
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "fwk_"),
        re.compile(
            r"(?<![A-Za-z0-9])(?:gh[pousr]_|github_pat_|fwk_)[\w.-]{4,}"
            r"|(?:gh[pousr]_|github_pat_|fwk_)[\w.-]{16,}"
        ),
        MASK,
    ),
    (("v1.",), re.compile(r"\bv1\.[0-9a-f]{40}\b"), MASK),  # an installation's token of old
    # A JWT, or another JSON object in base64; itsdangerous' signed values begin alike.
    (("eyj",), re.compile(r"eyJ[\w-]{12,}(?:\.[\w-]+){0,4}"), MASK),
    (("sha1=", "sha256=", "sha512="), re.compile(r"(?i)\bsha(?:1|256|512)=[0-9a-f]{8,}"), MASK),
    (("@",), re.compile(r"(?i)(://[^\s:@/\"'<>]*:)[^\s/\"'<>]*@"), rf"\1{MASK}@"),
    (("@",), re.compile(r"://[^\s:@/\"'<>]+@"), rf"://{MASK}@"),
    # OAuth's `state` is long; GitHub's own is open, closed or all.
    (("state=",), re.compile(r"(?i)([?&;]state=)[^&\s#\"'<>]{12,}"), rf"\1{MASK}"),
    (
        ("code=", "key=", "sig=", "auth=", "jwt=", "session="),
        re.compile(r"(?i)([?&;](?:code|key|sig|auth|jwt|session)=)[^&\s#\"'<>]+"),
        rf"\1{MASK}",
    ),
    # A statement's placeholder, `%(token)s`, is no value.
    (
        ("pass", "pwd", "secret", "key", "token", "signature", "sessionid"),
        re.compile(
            rf"(?i)((?<![a-z]){_NAMES}\\?[\"']?\s*[:=]\s*)"
            rf"(?:{_QUOTED}|(?!%\()[^\s\"'&,;}})]+)"
        ),
        rf"\1\2\3\4{MASK}",
    ),
)
"""What a text, in lower case, holds one of where the shape may be in it; the shape; what to put
there. Most texts hold none, and looking for that is all they cost."""

_SECRET_KEY = re.compile(
    rf"(?i)(?:.*[_.-])?(?:{_NAMES}|(?:proxy-)?authorization|(?:set-)?cookie)s?"
    r"|.*(?:token|secret|password)s?"
)

_known: tuple[str, ...] = ()


def know(secrets: Iterable[Secret]) -> None:
    """Strike these from now on, as they are, URL-encoded, and as HTTP Basic would send them."""
    global _known  # noqa: PLW0603 - one process has one set of secrets
    forms = {form for secret in secrets for form in _forms(secret.reveal()) if _telling(form)}
    # The longest first: one may contain another.
    _known = tuple(sorted(forms.union(_known), key=len, reverse=True))
    _struck_before.cache_clear()


def scrub(text: str) -> str:
    """The text with every secret in it replaced by MASK."""
    return _struck_before(text) if len(text) <= REMEMBERED_MAX else _struck(text)


def _struck(text: str) -> str:
    for secret in _known:
        if secret in text:
            text = text.replace(secret, MASK)
    lower = text.lower()
    for hints, shape, instead in SHAPES:
        for hint in hints:
            if hint in lower:
                text = shape.sub(instead, text)
                break
    return text


_struck_before = lru_cache(maxsize=4_096)(_struck)


def scrubbed(value: object) -> object:
    """The same for what is in dicts, lists and tuples: by value, and by key where it names one.

    Other objects than plain ones become their scrubbed `str`; bytes become text.
    """
    if isinstance(value, str):
        return scrub(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {_key(key): _under(key, each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [scrubbed(each) for each in value]
    if isinstance(value, bytes | bytearray):
        return scrub(bytes(value).decode(errors="replace"))
    return scrubbed(dict(value)) if isinstance(value, Mapping) else scrub(str(value))


def _key(key: object) -> object:
    return scrub(key) if isinstance(key, str) else key


def _under(key: object, value: object) -> object:
    plain = value is None or isinstance(value, bool | int | float)
    if plain:
        return value
    return MASK if isinstance(key, str) and _names_a_secret(key) else scrubbed(value)


@lru_cache(maxsize=1_024)
def _names_a_secret(key: str) -> bool:
    return _SECRET_KEY.fullmatch(key) is not None


def _telling(text: str) -> bool:
    return len(text) >= (WORD_MIN if text.isalpha() else KNOWN_MIN)


def _forms(value: str) -> Iterator[str]:
    yield from _spellings(value)
    yield base64.b64encode(f"admin:{value}".encode()).decode()
    try:
        parts = urlsplit(value)
        password = parts.password
    except ValueError:
        return
    if not parts.netloc:
        return
    if password:
        yield from _spellings(password)
        yield from _spellings(unquote(password))
    # A hook's path is its key: libraries name it without its host.
    path = parts.path + ("?" + parts.query if parts.query else "")
    if parts.scheme in {"http", "https"} and len(path) >= WORD_MIN:
        yield path


def _spellings(value: str) -> Iterator[str]:
    yield value
    yield quote(value, safe="")
    yield quote_plus(value)
    yield repr(value)[1:-1]
