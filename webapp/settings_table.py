"""The environment variables that Forewarm reads, as data: settings.py and the docs go by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from webapp import settings_parsers as parsers

FRESH_RESOURCES = ("org_list", "org", "repo_list", "repo", "repo_part")


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of SETTINGS. `default` is text, parsed as a given value would be; "" is unset."""

    variable: str
    default: str
    help: str
    parse: Callable[[str], object]
    secret: bool = False

    @property
    def field(self) -> str:
        """The name under which its value is kept in Settings, where it is kept as it is."""
        return self.variable.lower()


_S, _P = Setting, parsers
SETTINGS: tuple[Setting, ...] = (
    _S("HOST", "0.0.0.0", "address to bind to", _P.host),  # noqa: S104 - what servers do
    _S("PORT", "8000", "port to bind to", _P.number(1, 65_535)),
    _S("WEB_CONCURRENCY", "1", "web processes", _P.number(1, 512)),
    _S("WEB_THREADS", "16", "threads in each web process", _P.number(1, 512)),
    _S("GITHUB_API_URL", "https://api.github.com", "GitHub's API root", _P.api_url),
    _S("GITHUB_TOKEN", "", "the service's own token", _P.token, secret=True),
    _S("GITHUB_TOKENS", "", "several, of equal sight, by commas", _P.tokens, secret=True),
    _S("GITHUB_APP_ID", "", "a GitHub App instead of tokens", _P.app_id),
    _S("GITHUB_APP_PRIVATE_KEY", "", "its key, PEM", _P.private_key, secret=True),
    _S("GITHUB_PUBLIC_TOKEN", "", "a token that sees nothing private", _P.token, secret=True),
    _S("API_KEYS", "", "keys of the service scope: name:fwk_…,…", _P.api_keys, secret=True),
    _S(
        "ANONYMOUS_SCOPE",
        "public",
        "what callers without a key or token see: public, service or none",
        _P.choice("public", "service", "none"),
    ),
    _S("GITHUB_WEBHOOK_SECRET", "", "without it webhooks are refused", _P.secret, secret=True),
    _S("ADMIN_PASSWORD", "", "opens dashboard, /api and /metrics", _P.secret, secret=True),
    _S("SECRET_KEY", "", "required off loopback", _P.secret_key, secret=True),
    _S("REDIS_URL", "", "Redis or Valkey, redis:// or rediss://", _P.redis_url, secret=True),
    _S("BROKER_URL", "", "jobs; REDIS_URL's next database", _P.redis_url, secret=True),
    _S("DATABASE_URL", "", "PostgreSQL", _P.database_url, secret=True),
    _S("REDIS_TLS_VERIFY", "on", "off accepts any certificate of rediss://", _P.switch),
    _S("REDIS_POOL", "6", "Redis connections a web process", _P.number(1, 1_000)),
    _S("DATABASE_POOL", "4", "PostgreSQL connections a process", _P.number(1, 1_000)),
    _S("PUBLIC_URL", "", "base URL that clients use; required off loopback", _P.public_url),
    _S("TRUSTED_PROXIES", "0", "proxies in front whose headers count", _P.number(0, 16)),
    _S("WATCH", "", "kept warm: pallets, psf/requests", _P.names),
    _S("CACHE_FRESH_ORG_LIST", "1h", "fresh period: organisation lists", _P.duration),
    _S("CACHE_FRESH_ORG", "1h", "fresh period: organisations and users", _P.duration),
    _S("CACHE_FRESH_REPO_LIST", "1h", "fresh period: repository lists", _P.duration),
    _S("CACHE_FRESH_REPO", "3h", "fresh period: repositories", _P.duration),
    _S("CACHE_FRESH_REPO_PART", "3h", "fresh period: languages, tags, …", _P.duration),
    _S("CACHE_STALE", "5m", "served while a refresh runs behind", _P.duration),
    _S("CACHE_GRACE", "7d", "served while GitHub can't be asked", _P.duration),
    _S("CACHE_NEGATIVE", "60s", "404, 410, 451 and redirects", _P.duration),
    _S("NEAR_MB", "64", "near shelf a process, megabytes; 0 is off", _P.number(0, 65_536)),
    _S("HITPATH", "on", "answer fresh hits before Flask", _P.switch),
    _S("HIT_SAMPLE", "100", "one hit in so many is traced; 0 is none", _P.number(0, 1_000_000)),
    _S("TELEMETRY", "on", "metrics and traces", _P.switch),
    _S("HONOUR_NO_CACHE", "false", "a client's no-cache revalidates", _P.switch),
    _S(
        "LOG_LEVEL",
        "INFO",
        "DEBUG, INFO, WARNING, ERROR or CRITICAL",
        _P.choice("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    ),
    _S("LOG_FORMAT", "plain", "plain or json", _P.choice("plain", "json")),
    _S("ALERT_WEBHOOK_URL", "", "alerts, Alertmanager's shape", _P.hook_url, secret=True),
    _S("ALERT_WEBHOOK_SECRET", "", "signs them", _P.secret, secret=True),
    _S("ALERT_SLACK_URL", "", "alerts, Slack's shape", _P.hook_url, secret=True),
    _S("ALERT_EMAIL_TO", "", "alerts by e-mail, by SMTP_URL", _P.emails),
    _S("SMTP_URL", "", "smtp:// or smtps://", _P.smtp_url, secret=True),
    _S("ALERT_RULES", "", "a TOML file of thresholds", _P.toml_tables),
    _S("DEMO", "off", "set by script/server: GitHub is the stand-in", _P.switch),
)
