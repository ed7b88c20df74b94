"""Section 13 of the design: every variable parsed, or refused by one line that tells no secret."""

from __future__ import annotations

import copy
import pickle
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from webapp.errors import SettingsError
from webapp.policy import RESOURCES
from webapp.secret import Secret
from webapp.settings import ApiKey, Settings, database_url_from_env
from webapp.settings_table import SETTINGS, Setting

LOCAL = {
    "HOST": "127.0.0.1",
    "REDIS_URL": "redis://:hunter2@localhost:6379/0",
    "DATABASE_URL": "postgresql://u:hunter2@localhost/forewarm",
}
DEPLOYED = LOCAL | {
    "HOST": "0.0.0.0",
    "SECRET_KEY": "0123456789abcdef0123456789abcdef",
    "PUBLIC_URL": "https://forewarm.example.com",
}
KEY = "fwk_0123456789abcdef"

# The design's own list, but for ELASTIC_APM_*, which the agent reads; DEMO is script/server's.
# fmt: off
DESIGN = {
    "HOST", "PORT", "WEB_CONCURRENCY", "WEB_THREADS", "GITHUB_API_URL", "GITHUB_TOKEN",
    "GITHUB_TOKENS", "GITHUB_APP_ID", "GITHUB_APP_PRIVATE_KEY", "GITHUB_PUBLIC_TOKEN", "API_KEYS",
    "ANONYMOUS_SCOPE", "GITHUB_WEBHOOK_SECRET", "ADMIN_PASSWORD", "SECRET_KEY", "REDIS_URL",
    "BROKER_URL", "DATABASE_URL", "REDIS_TLS_VERIFY", "REDIS_POOL", "DATABASE_POOL", "PUBLIC_URL",
    "TRUSTED_PROXIES", "WATCH", "CACHE_FRESH_ORG_LIST", "CACHE_FRESH_ORG",
    "CACHE_FRESH_REPO_LIST", "CACHE_FRESH_REPO", "CACHE_FRESH_REPO_PART", "CACHE_STALE",
    "CACHE_GRACE", "CACHE_NEGATIVE", "NEAR_MB", "HITPATH", "HIT_SAMPLE", "TELEMETRY",
    "HONOUR_NO_CACHE", "LOG_LEVEL", "LOG_FORMAT", "ALERT_WEBHOOK_URL", "ALERT_WEBHOOK_SECRET",
    "ALERT_SLACK_URL", "ALERT_EMAIL_TO", "SMTP_URL", "ALERT_RULES",
}
# fmt: on


def held(**variables: str) -> Settings:
    return Settings.from_env(LOCAL | variables)


def refusal(**variables: str) -> str:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(LOCAL | variables)
    return str(caught.value)


def rsa_pem() -> str:
    key = rsa.generate_private_key(65_537, 2_048)
    return key.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    ).decode()


def test_the_table_has_every_variable_of_the_design() -> None:
    assert {row.variable for row in SETTINGS} == DESIGN | {"DEMO"}


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row.variable)
def test_every_row_says_what_it_is_for(row: Setting) -> None:
    assert row.help


def test_the_handbook_names_every_variable() -> None:
    handbook = Path(__file__).parents[2] / "docs" / "operations.md"
    _, found, section = handbook.read_text(encoding="utf-8").partition("\n## Settings")
    assert found
    table = section.partition("\n## ")[0]
    assert [row.variable for row in SETTINGS if f"`{row.variable}`" not in table] == []


def test_defaults_are_the_designs() -> None:
    settings = Settings.from_env(DEPLOYED)
    assert (settings.host, settings.port) == ("0.0.0.0", 8000)
    assert (settings.web_concurrency, settings.web_threads) == (1, 16)
    assert settings.github_api_url == "https://api.github.com"
    assert settings.github_tokens == ()
    assert settings.anonymous_scope == "public"
    assert settings.redis_tls_verify
    assert settings.trusted_proxies == 0
    assert settings.watch == ()
    assert (settings.near_mb, settings.hitpath, settings.hit_sample) == (64, True, 100)
    assert (settings.telemetry, settings.honour_no_cache, settings.demo) == (True, False, False)
    assert (settings.log_level, settings.log_format) == ("INFO", "plain")


def test_lists_are_fresh_for_one_hour_and_details_for_three() -> None:
    assert held().fresh == {
        "org_list": 3_600,
        "org": 3_600,
        "repo_list": 3_600,
        "repo": 10_800,
        "repo_part": 10_800,
    }


def test_fresh_periods_are_the_policy_tables() -> None:
    table = {row.name: row.fresh for row in RESOURCES if row.fresh}
    assert held().fresh == table


def test_stale_grace_and_negative_periods_are_the_designs() -> None:
    settings = held()
    assert (settings.stale, settings.grace, settings.negative) == (300, 7 * 86_400, 60)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("90m", 5_400), ("3h", 10_800), ("7d", 604_800), ("0", 0)],
)
def test_periods_are_seconds_or_have_a_unit(text: str, seconds: float) -> None:
    assert held(CACHE_FRESH_REPO=text).fresh["repo"] == seconds


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_variable_is_unset(text: str) -> None:
    assert held(PORT=text, GITHUB_TOKEN=text).port == 8000


def test_space_around_a_value_is_no_part_of_it() -> None:
    assert held(GITHUB_TOKEN=" ghp_x\n").github_tokens == (Secret("ghp_x"),)


BAD = {
    "HOST": ["not a host", "127.0.0.1:80", "-x"],
    "PORT": ["0", "65536", "-1", "http", "80.0", "٣"],
    "WEB_CONCURRENCY": ["0", "many"],
    "WEB_THREADS": ["0"],
    "GITHUB_API_URL": [
        "api.github.com",
        "ftp://api.github.com",
        "https://api.github.com?x=1",
        "https://api.github.com#x",
        "https://",
        "https://host/a/../b",
        "https://host:0",
        "https://host:99999",
        "https://ho st",
        "https://[::1",
    ],
    "GITHUB_APP_ID": ["my-app", "12a"],
    "ANONYMOUS_SCOPE": ["everyone"],
    "REDIS_TLS_VERIFY": ["maybe"],
    "REDIS_POOL": ["0"],
    "DATABASE_POOL": ["none"],
    "PUBLIC_URL": ["forewarm.example.com", "https://example.com/path", "https://example.com/?q"],
    "TRUSTED_PROXIES": ["-1", "all"],
    "WATCH": ["a/b/c", "-owner", "owner/", "/repo", "o/..", "owner/ré"],
    "CACHE_FRESH_ORG_LIST": ["1w", "-1", "nan", "1h30m", "500d"],
    "CACHE_FRESH_ORG": ["inf"],
    "CACHE_FRESH_REPO_LIST": ["1e3"],
    "CACHE_FRESH_REPO": ["soon"],
    "CACHE_FRESH_REPO_PART": ["h"],
    "CACHE_STALE": ["x"],
    "CACHE_GRACE": ["x"],
    "CACHE_NEGATIVE": ["x"],
    "NEAR_MB": ["-5", "64MB"],
    "HITPATH": ["fast"],
    "HIT_SAMPLE": ["1%"],
    "TELEMETRY": ["some"],
    "HONOUR_NO_CACHE": ["2"],
    "LOG_LEVEL": ["LOUD"],
    "LOG_FORMAT": ["xml"],
    "ALERT_EMAIL_TO": ["nobody", ","],
    "ALERT_RULES": ["no-such-file.toml"],
    "DEMO": ["perhaps"],
}
BAD_SECRETS = {
    "GITHUB_TOKEN": ["hunter2 hunter2", "hunter2,x", "hunter2é", "hunter2\nX-Evil: 1", KEY],
    "GITHUB_TOKENS": ["hunter2é", f"ghp_a,{KEY}"],
    "GITHUB_APP_PRIVATE_KEY": ["hunter2", "-----BEGIN hunter2-----"],
    "GITHUB_PUBLIC_TOKEN": ["hunter2 x"],
    "API_KEYS": ["hunter2", "fwk_hunter2", f"a b:{KEY}", f"{KEY},{KEY}", f"a:{KEY},a:{KEY}x"],
    "SECRET_KEY": ["hunter2"],
    "REDIS_URL": [
        "http://:hunter2@host",
        "redis://:hunter2@",
        "redis://:hunter2@host/x",
        "redis://:hunter2/x@host",
        "redis://:hunter2@host/0?db=3",
    ],
    "BROKER_URL": ["amqp://:hunter2@host"],
    "DATABASE_URL": [
        "mysql://u:hunter2@host/d",
        "postgresql://u:hunter2@host",
        "postgresql://u:hunter2%@host/d",
        "postgresql://u:hunter2/x@host/d",
    ],
    "ALERT_WEBHOOK_URL": ["hunter2"],
    "ALERT_SLACK_URL": ["ftp://hunter2"],
    "SMTP_URL": [
        "http://u:hunter2@host",
        "smtp://u:hunter2@host/path",
        "smtp://u:hunter2@host?tls=no",
        "smtp://u:hunter2@host?from=no-address",
        "smtp://u:hunter2@host?from=me@host%0d%0aBcc:you@host",
    ],
}


@pytest.mark.parametrize(
    ("variable", "text"), [(name, text) for name, texts in BAD.items() for text in texts]
)
def test_a_value_that_will_not_do_is_refused_in_one_line(variable: str, text: str) -> None:
    line = refusal(**{variable: text})
    assert line.startswith(f"{variable} is {text!a}; ")
    assert "\n" not in line


@pytest.mark.parametrize(
    ("variable", "text"), [(name, text) for name, texts in BAD_SECRETS.items() for text in texts]
)
def test_a_secret_that_will_not_do_is_refused_without_showing_it(variable: str, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(LOCAL | {variable: text})
    line = str(caught.value)
    assert line.startswith(f"{variable} is ")
    assert "hunter2" not in line
    assert KEY not in line
    assert "\n" not in line
    # Nor in what a traceback would show.
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_every_variable_with_a_form_has_a_refusal_here() -> None:
    free = {"GITHUB_WEBHOOK_SECRET", "ADMIN_PASSWORD", "ALERT_WEBHOOK_SECRET"}
    assert {row.variable for row in SETTINGS} == {*BAD, *BAD_SECRETS, *free}


@pytest.mark.parametrize("variable", ["WATCH", "LOG_LEVEL", "ANONYMOUS_SCOPE", "HOST"])
def test_a_token_in_the_wrong_variable_is_not_shown(variable: str) -> None:
    assert "hunter2" not in refusal(**{variable: "ghp_hunter2!/"})


def test_credentials_in_the_api_url_are_refused_unseen() -> None:
    assert "hunter2" not in refusal(GITHUB_API_URL="https://u:hunter2@api.github.com")


def test_a_long_value_is_cut_short() -> None:
    assert len(refusal(LOG_LEVEL="x" * 100_000)) < 200


def test_a_mistyped_period_is_refused() -> None:
    line = refusal(CACHE_FRESH_REPOS="1h")
    assert line.startswith("CACHE_FRESH_REPOS names no resource; ")
    assert "REPO_LIST" in line


@pytest.mark.parametrize("variable", ["SECRET_KEY", "PUBLIC_URL"])
def test_off_loopback_it_is_required(variable: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable} is not set; "):
        Settings.from_env({**DEPLOYED, variable: ""})


@pytest.mark.parametrize("variable", ["REDIS_URL", "DATABASE_URL"])
def test_a_store_is_required(variable: str) -> None:
    assert refusal(**{variable: ""}).startswith(f"{variable} is not set; ")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"])
def test_a_loopback_address_is_one(host: str) -> None:
    assert held(HOST=host).loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "localhost.example.com"])
def test_any_other_address_is_not_loopback(host: str) -> None:
    assert not Settings.from_env(DEPLOYED | {"HOST": host}).loopback


def test_on_loopback_a_secret_key_is_made_up() -> None:
    assert held().secret_key != held().secret_key


@pytest.mark.parametrize(
    ("text", "rest", "graphql"),
    [
        ("https://api.github.com/", "https://api.github.com", "https://api.github.com/graphql"),
        ("https://GHE.io/api/v3/", "https://ghe.io/api/v3", "https://ghe.io/api/graphql"),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000", "http://127.0.0.1:9000/graphql"),
        ("http://[::1]:9", "http://[::1]:9", "http://[::1]:9/graphql"),
    ],
)
def test_githubs_two_roots_follow_from_one(text: str, rest: str, graphql: str) -> None:
    settings = held(GITHUB_API_URL=text)
    assert (settings.github_api_url, settings.github_graphql_url) == (rest, graphql)


def test_one_token_and_several_are_one_list() -> None:
    tokens = held(GITHUB_TOKEN="ghp_a", GITHUB_TOKENS="ghp_b, ghp_a\nghs_c").github_tokens
    assert [token.reveal() for token in tokens] == ["ghp_a", "ghp_b", "ghs_c"]


@pytest.mark.parametrize("app", ["12345", "Iv1.0123456789abcdef", "Iv23liABCDEF"])
def test_an_app_is_known_by_either_id(app: str) -> None:
    assert held(GITHUB_APP_ID=app, GITHUB_APP_PRIVATE_KEY=rsa_pem()).github_app_id == app


def test_line_breaks_of_a_private_key_may_be_written_out() -> None:
    pem = rsa_pem()
    settings = held(GITHUB_APP_ID="1", GITHUB_APP_PRIVATE_KEY=pem.replace("\n", "\\n"))
    assert settings.github_app_private_key == Secret(pem)


def test_a_private_key_that_is_not_rsa_is_refused() -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    assert "RSA" in refusal(GITHUB_APP_ID="1", GITHUB_APP_PRIVATE_KEY=pem.decode())


def test_an_app_without_its_key_is_refused() -> None:
    assert refusal(GITHUB_APP_ID="1").startswith("GITHUB_APP_PRIVATE_KEY is not set; ")


def test_a_key_without_its_app_is_refused() -> None:
    line = refusal(GITHUB_APP_PRIVATE_KEY=rsa_pem())
    assert line.startswith("GITHUB_APP_ID is not set; ")


def test_an_app_beside_a_token_is_refused() -> None:
    line = refusal(GITHUB_APP_ID="1", GITHUB_APP_PRIVATE_KEY=rsa_pem(), GITHUB_TOKEN="ghp_a")
    assert line == "GITHUB_APP_ID is set beside GITHUB_TOKEN(S); unset one"


def test_api_keys_have_the_names_they_were_given() -> None:
    assert held(API_KEYS=f"ci: {KEY}, bots:{KEY}x").api_keys == (
        ApiKey("ci", Secret(KEY)),
        ApiKey("bots", Secret(KEY + "x")),
    )


def test_a_bare_api_key_is_named_after_its_hmac() -> None:
    names = {held(API_KEYS=KEY, SECRET_KEY="s" * 16).api_keys[0].name for _ in range(2)}
    assert len(names) == 1
    assert re.fullmatch(r"key-[0-9a-f]{8}", names.pop())


def test_another_secret_key_gives_a_bare_key_another_name() -> None:
    one = held(API_KEYS=KEY, SECRET_KEY="s" * 16).api_keys[0].name
    assert held(API_KEYS=KEY, SECRET_KEY="t" * 16).api_keys[0].name != one


@pytest.mark.parametrize(
    ("redis", "broker"),
    [
        ("redis://localhost", "redis://localhost/1"),
        ("redis://localhost:6380/", "redis://localhost:6380/1"),
        ("rediss://u:p%40@host:1/4", "rediss://u:p%40@host:1/5"),
        ("redis://host/0?socket_timeout=1", "redis://host/1?socket_timeout=1"),
    ],
)
def test_jobs_go_to_the_next_database(redis: str, broker: str) -> None:
    assert held(REDIS_URL=redis).broker_url.reveal() == broker


def test_a_broker_url_is_taken_as_it_is() -> None:
    assert held(BROKER_URL="redis://jobs/7").broker_url.reveal() == "redis://jobs/7"


def test_unverified_tls_is_written_into_both_urls() -> None:
    settings = held(REDIS_URL="rediss://host/0", REDIS_TLS_VERIFY="off")
    assert settings.redis_url.reveal() == "rediss://host/0?ssl_cert_reqs=none"
    assert settings.broker_url.reveal() == "rediss://host/1?ssl_cert_reqs=none"


def test_without_tls_there_is_nothing_to_verify() -> None:
    assert held(REDIS_TLS_VERIFY="off").redis_url.reveal() == LOCAL["REDIS_URL"]


def test_postgres_is_spelt_postgresql() -> None:
    settings = held(DATABASE_URL="postgres://u:p@h:5/d?sslmode=require")
    assert settings.database_url.reveal() == "postgresql://u:p@h:5/d?sslmode=require"


def test_a_database_may_be_reached_by_socket() -> None:
    url = "postgresql:///d?host=/run/postgresql"
    assert held(DATABASE_URL=url).database_url.reveal() == url


def test_a_command_may_need_the_database_alone() -> None:
    url = database_url_from_env({"DATABASE_URL": "postgres://h/d"})
    assert url.reveal() == "postgresql://h/d"


def test_the_database_alone_is_required_too() -> None:
    with pytest.raises(SettingsError, match=r"^DATABASE_URL is not set; "):
        database_url_from_env({})


def test_the_public_url_ends_without_a_slash() -> None:
    assert held(PUBLIC_URL="https://Warm.example:8443/").public_url == "https://warm.example:8443"


def test_watches_are_owners_and_repositories_each_once() -> None:
    watch = held(WATCH="pallets, psf/requests\nPallets Some_short/.github").watch
    assert watch == ("pallets", "psf/requests", "Some_short/.github")


def test_the_rules_of_alerts_are_a_file_of_tables(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text('[hit_rate]\nwarn = 5\nfor = "2m"\n')
    assert held(ALERT_RULES=str(path)).alert_rules == {"hit_rate": {"warn": 5, "for": "2m"}}


@pytest.mark.parametrize(
    ("text", "wants"),
    [
        ("[hit_rate\n", "give a file that is TOML: "),
        ("a = 1\na = 2\n", "give a file that is TOML: "),
        ("warn = 5\n", "'warn' in it must be in a table, such as [hit_rate]"),
    ],
)
def test_rules_of_another_form_are_refused_in_one_line(
    tmp_path: Path, text: str, wants: str
) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text)
    line = refusal(ALERT_RULES=str(path))
    assert line.startswith("ALERT_RULES is ")
    assert wants in line
    assert "\n" not in line


def test_mail_needs_a_server() -> None:
    assert refusal(ALERT_EMAIL_TO="ops@example.com").startswith("SMTP_URL is not set; ")


def test_mail_goes_to_all_its_addresses() -> None:
    settings = held(ALERT_EMAIL_TO="a@example.com, b@example.com", SMTP_URL="smtp://host")
    assert settings.alert_email_to == ("a@example.com", "b@example.com")


@pytest.mark.parametrize(("text", "value"), [("ON", True), ("0", False), ("Yes", True)])
def test_switches_are_spelt_as_usual(text: str, value: bool) -> None:
    assert held(HONOUR_NO_CACHE=text).honour_no_cache is value


def test_settings_show_no_secret() -> None:
    settings = held(
        GITHUB_TOKEN="hunter2",
        API_KEYS=f"ci:{KEY}",
        ADMIN_PASSWORD="hunter2",
        SECRET_KEY="hunter2" * 3,
        ALERT_SLACK_URL="https://hooks.example/hunter2",
    )
    shown = f"{settings} {settings!r} {settings.api_keys}"
    assert "hunter2" not in shown
    assert KEY not in shown


def test_settings_do_not_change() -> None:
    with pytest.raises(AttributeError):
        held().port = 1  # type: ignore[misc]


def test_the_periods_do_not_change() -> None:
    with pytest.raises(TypeError):
        held().fresh["repo"] = 0  # type: ignore[index]


def test_a_changed_copy_can_be_made() -> None:
    assert replace(held(), port=1).port == 1


def test_the_processs_own_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, text in LOCAL.items():
        monkeypatch.setenv(variable, text)
    monkeypatch.setenv("PORT", "8123")
    assert Settings.from_env().port == 8123


def test_a_start_without_credentials_loads_no_cryptography() -> None:
    program = (
        "import sys; from webapp.settings import Settings; "
        f"Settings.from_env({LOCAL!r}); assert 'cryptography' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=20)


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{:>20}".format, ascii])
def test_a_secret_is_never_shown(show: object) -> None:
    assert callable(show)
    assert "hunter2" not in show(Secret("hunter2"))


def test_a_secret_is_given_to_who_asks_for_it() -> None:
    assert Secret("hunter2").reveal() == "hunter2"


def test_secrets_are_equal_by_value() -> None:
    assert (Secret("a") == Secret("a"), Secret("a") == Secret("b")) == (True, False)


def test_a_secret_equals_no_string() -> None:
    assert Secret("a") != "a"


@pytest.mark.parametrize("travel", [pickle.dumps, copy.deepcopy])
def test_a_secret_does_not_travel(travel: object) -> None:
    assert callable(travel)
    with pytest.raises(TypeError, match="not pickled"):
        travel(Secret("hunter2"))
