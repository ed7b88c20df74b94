"""Every environment variable of SETTINGS is parsed, or refused, here and nowhere else.

An empty or blank variable counts as unset. A refusal stops the start with one line (SettingsError)
that names the variable, what it held (never a secret) and what would do. ELASTIC_APM_* belong to
the Elastic agent, which reads them itself.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from webapp import settings_parsers as parsers
from webapp.errors import SettingsError
from webapp.secret import Secret
from webapp.settings_table import FRESH_RESOURCES, SETTINGS, Setting

_TOKEN_SHAPES = re.compile(r"gh[pousr]_|github_pat_|fwk_|-----BEGIN|@")


_ROWS = {row.variable: row for row in SETTINGS}


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of the service scope. Its name may be shown and logged; the key never."""

    name: str
    key: Secret


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What was set, parsed. Periods are seconds; None is unset. Made by `from_env`."""

    host: str
    port: int
    web_concurrency: int
    web_threads: int
    github_api_url: str
    github_tokens: tuple[Secret, ...]
    github_app_id: str | None
    github_app_private_key: Secret | None
    github_public_token: Secret | None
    api_keys: tuple[ApiKey, ...]
    anonymous_scope: str
    github_webhook_secret: Secret | None
    admin_password: Secret | None
    secret_key: Secret
    redis_url: Secret
    broker_url: Secret
    database_url: Secret
    redis_tls_verify: bool
    redis_pool: int
    database_pool: int
    public_url: str | None
    trusted_proxies: int
    watch: tuple[str, ...]
    fresh: Mapping[str, float]
    stale: float
    grace: float
    negative: float
    near_mb: int
    hitpath: bool
    hit_sample: int
    telemetry: bool
    honour_no_cache: bool
    log_level: str
    log_format: str
    alert_webhook_url: Secret | None
    alert_webhook_secret: Secret | None
    alert_slack_url: Secret | None
    alert_email_to: tuple[str, ...]
    smtp_url: Secret | None
    alert_rules: Mapping[str, Mapping[str, object]]
    demo: bool

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Parse `environ` (the process's own by default). Raises SettingsError."""
        environ = os.environ if environ is None else environ
        _refuse_unknown_periods(environ)
        held: dict[str, Any] = {row.field: _read(row, environ) for row in SETTINGS}

        app_id, app_key = held["github_app_id"], held["github_app_private_key"]
        one = held.pop("github_token")
        held["github_tokens"] = tuple(
            dict.fromkeys((*([one] if one else []), *(held["github_tokens"] or ())))
        )
        if app_id and not app_key:
            raise _missing("GITHUB_APP_PRIVATE_KEY", "GITHUB_APP_ID needs its key, PEM")
        if app_key and not app_id:
            raise _missing("GITHUB_APP_ID", "GITHUB_APP_PRIVATE_KEY needs the App's id")
        if app_id and held["github_tokens"]:
            # Credentials must see the same; an App's installations and a person's token don't.
            raise SettingsError("GITHUB_APP_ID", "is set beside GITHUB_TOKEN(S)", "unset one")

        loopback = _is_loopback(held["host"])
        if held["secret_key"] is None:
            if not loopback:
                raise _missing(
                    "SECRET_KEY", f"off loopback give {parsers.MIN_SECRET_KEY} or more characters"
                )
            held["secret_key"] = Secret(secrets.token_hex(32))
        if held["public_url"] is None and not loopback:
            raise _missing("PUBLIC_URL", "off loopback give one, as https://forewarm.example.com")
        if held["alert_email_to"] and not held["smtp_url"]:
            raise _missing("SMTP_URL", "ALERT_EMAIL_TO needs one, as smtp://user:password@host:587")

        _require(held, "REDIS_URL", "give a URL such as redis://localhost:6379/0")
        _require(held, "DATABASE_URL", "give a URL such as postgresql://localhost/forewarm")
        held["broker_url"] = held["broker_url"] or _next_database(held["redis_url"])
        if not held["redis_tls_verify"]:
            held["redis_url"] = _without_verification(held["redis_url"])
            held["broker_url"] = _without_verification(held["broker_url"])

        held["api_keys"] = _named(held["api_keys"] or (), held["secret_key"])
        held["watch"] = held["watch"] or ()
        held["alert_email_to"] = held["alert_email_to"] or ()
        held["alert_rules"] = held["alert_rules"] or MappingProxyType({})
        held["fresh"] = MappingProxyType(
            {resource: held.pop(f"cache_fresh_{resource}") for resource in FRESH_RESOURCES}
        )
        for period in ("stale", "grace", "negative"):
            held[period] = held.pop(f"cache_{period}")
        return cls(**held)

    def secrets(self) -> tuple[Secret, ...]:
        """Every secret that is set: what must never be seen outside the process."""
        held: list[Secret] = []
        for field in fields(self):
            value = getattr(self, field.name)
            for each in value if isinstance(value, tuple) else (value,):
                secret = each.key if isinstance(each, ApiKey) else each
                if isinstance(secret, Secret):
                    held.append(secret)
        return tuple(held)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        return _is_loopback(self.host)

    @property
    def github_graphql_url(self) -> str:
        """`https://api.github.com/graphql`; on GHES `https://host/api/graphql`."""
        return self.github_api_url.removesuffix("/v3") + "/graphql"


def database_url_from_env(environ: Mapping[str, str] | None = None) -> Secret:
    """DATABASE_URL alone, for commands that need nothing else. Raises SettingsError."""
    environ = os.environ if environ is None else environ
    held: dict[str, Any] = {"database_url": _read(_ROWS["DATABASE_URL"], environ)}
    _require(held, "DATABASE_URL", "give a URL such as postgresql://localhost/forewarm")
    url: Secret = held["database_url"]
    return url


def _read(row: Setting, environ: Mapping[str, str]) -> object:
    """The row's value; None where it is unset and has no default."""
    text = environ.get(row.variable, "").strip() or row.default
    if not text:
        return None
    try:
        return row.parse(text)
    except parsers.RefusalError as refusal:
        raise SettingsError(row.variable, _describe(row, text), str(refusal)) from None


def _describe(row: Setting, text: str) -> str:
    # A token pasted into the wrong variable is still a secret.
    if row.secret or _TOKEN_SHAPES.search(text):
        return f"is a value of {len(text)} characters"
    return "is " + ascii(text if len(text) <= 60 else text[:57] + "...")


def _missing(variable: str, wants: str) -> SettingsError:
    return SettingsError(variable, "is not set", wants)


def _require(held: Mapping[str, Any], variable: str, wants: str) -> None:
    if held[variable.lower()] is None:
        raise _missing(variable, wants)


def _refuse_unknown_periods(environ: Mapping[str, str]) -> None:
    for variable in sorted(environ):
        if variable.startswith("CACHE_FRESH_") and variable not in _ROWS:
            known = ", ".join(name.upper() for name in FRESH_RESOURCES)
            raise SettingsError(variable, "names no resource", f"CACHE_FRESH_ takes {known}")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _named(pairs: tuple[tuple[str, Secret], ...], secret_key: Secret) -> tuple[ApiKey, ...]:
    """Name bare keys after their HMAC, so that logs can tell them apart without showing them."""
    keys = tuple(ApiKey(name or _key_name(key, secret_key), key) for name, key in pairs)
    if len({key.name for key in keys}) < len(keys):
        raise SettingsError("API_KEYS", f"is a list of {len(keys)} keys", "give each its own name")
    return keys


def _key_name(key: Secret, secret_key: Secret) -> str:
    digest = hmac.new(secret_key.reveal().encode(), key.reveal().encode(), hashlib.sha256)
    return f"key-{digest.hexdigest()[:8]}"


def _next_database(url: Secret) -> Secret:
    parts = urlsplit(url.reveal())
    database = int(parts.path.strip("/") or 0) + 1
    return Secret(urlunsplit(parts._replace(path=f"/{database}")))


def _without_verification(url: Secret) -> Secret:
    """redis-py's own parameter, in the URL, so that every library obeys it."""
    parts = urlsplit(url.reveal())
    if parts.scheme != "rediss":
        return url
    query = dict(parse_qsl(parts.query, keep_blank_values=True)) | {"ssl_cert_reqs": "none"}
    return Secret(urlunsplit(parts._replace(query=urlencode(query))))
