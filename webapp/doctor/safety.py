"""Settings that parse and yet are unsafe, or leave something off, together. Pure: asks nobody."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from webapp.doctor.finding import Finding, counted, fail, ok, present, warn
from webapp.settings import Settings

MIN_PASSWORD = 12  # characters, off loopback


def check(settings: Settings) -> list[Finding]:
    """What each rule says of these settings, in the table's order."""
    return present(*(rule(settings) for rule in RULES))


def _listening(settings: Settings) -> Finding:
    where = "this machine alone" if settings.loopback else "the network"
    demo = "; a demo: GitHub is a stand-in with made-up data" if settings.demo else ""
    return ok("settings", f"all can be parsed; open to {where} ({settings.host}){demo}")


def _admin_password(settings: Settings) -> Finding:
    name, password = "administrator", settings.admin_password
    if password is None and settings.loopback:
        return ok(name, "no ADMIN_PASSWORD: dashboard and /api are open to this machine alone")
    if password is None:
        return fail(
            name,
            "no ADMIN_PASSWORD off loopback: dashboard, /api and /metrics are closed to everyone",
            "set ADMIN_PASSWORD",
        )
    if len(password.reveal()) < MIN_PASSWORD and not settings.loopback:
        return warn(
            name,
            "ADMIN_PASSWORD is short, and anyone who reaches this service may guess",
            f"give it {MIN_PASSWORD} or more random characters",
        )
    return ok(name, "ADMIN_PASSWORD is set")


def _webhook_secret(settings: Settings) -> Finding:
    if settings.github_webhook_secret is None:
        return warn(
            "webhooks",
            "no GITHUB_WEBHOOK_SECRET: deliveries are refused, changes show when periods end",
            "set GITHUB_WEBHOOK_SECRET, and the same secret at GitHub's webhook",
        )
    return ok("webhooks", "GITHUB_WEBHOOK_SECRET is set")


def _anonymous(settings: Settings) -> Finding:
    name, scope = "anonymous callers", settings.anonymous_scope
    if scope == "service" and not settings.loopback:
        return warn(
            name,
            "ANONYMOUS_SCOPE=service off loopback: whoever reaches this service reads what its "
            "credentials see, private repositories included",
            "set ANONYMOUS_SCOPE to public or none, and give callers API_KEYS",
        )
    sight = {"service": "all that the service sees", "public": "public answers", "none": "nothing"}
    return ok(name, f"they see {sight[scope]} (ANONYMOUS_SCOPE={scope})")


def _api_keys(settings: Settings) -> Finding:
    if settings.api_keys:
        return ok("API keys", f"{counted(len(settings.api_keys), 'key')} of the service scope")
    if settings.anonymous_scope == "service":
        return ok("API keys", "none, and none needed: anonymous callers have the service scope")
    return warn(
        "API keys",
        "none: nobody can read what is kept warm in the service scope",
        "set API_KEYS, as name:fwk_ and 16 or more random letters and digits",
    )


def _credentials(settings: Settings) -> Finding:
    name = "service credentials"
    if settings.github_app_id:
        return warn(
            name,
            "a GitHub App is set, which this release doesn't use yet: it asks without credentials",
            "set GITHUB_TOKEN instead, until GitHub Apps are served",
        )
    if not settings.github_tokens:
        return warn(
            name,
            "none: GitHub allows 60 requests an hour, and shows what is public",
            "set GITHUB_TOKEN",
        )
    return ok(name, counted(len(settings.github_tokens), "token"))


def _public_url(settings: Settings) -> Finding | None:
    if settings.loopback or urlsplit(settings.public_url or "").scheme == "https":
        return None
    return warn(
        "transport",
        "PUBLIC_URL is http:// off loopback: clients send tokens and passwords in the clear",
        "put TLS in front, and set PUBLIC_URL to https://",
    )


def _redis_tls(settings: Settings) -> Finding | None:
    urls = (settings.redis_url, settings.broker_url)
    encrypted = any(url.reveal().startswith("rediss://") for url in urls)
    if settings.redis_tls_verify or not encrypted:
        return None
    return warn(
        "Redis certificate",
        "REDIS_TLS_VERIFY=off: whoever stands between may read and change what is cached",
        "set REDIS_TLS_VERIFY=on, unless the platform signs its own certificates (Heroku does)",
    )


RULES: tuple[Callable[[Settings], Finding | None], ...] = (
    _listening,
    _admin_password,
    _webhook_secret,
    _anonymous,
    _api_keys,
    _credentials,
    _public_url,
    _redis_tls,
)
