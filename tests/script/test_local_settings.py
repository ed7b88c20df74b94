"""What script/server decides: demo or not, which stores, which settings."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from script.local_settings import (
    StandInGitHub,
    as_shell,
    data_directory,
    environment,
    plan,
)
from webapp.settings import Settings

GITHUB = StandInGitHub(
    url="http://127.0.0.1:9", token="ghp_" + "s" * 36, webhook_secret="whisper it low"
)


def settings_of(environ: dict[str, str], *, demo: bool = False) -> dict[str, str]:
    chosen = plan(environ, demo=demo)
    return environment(
        chosen,
        environ,
        redis_url="redis://:p@127.0.0.1:1/0",
        database_url="postgresql://forewarm:p@127.0.0.1:2/forewarm",
        secret_key="k" * 32,
        github=GITHUB if chosen.demo else None,
    )


def test_without_a_way_to_github_it_is_a_demo() -> None:
    assert plan({}).demo


@pytest.mark.parametrize(
    "way", ["GITHUB_TOKEN", "GITHUB_TOKENS", "GITHUB_APP_ID", "GITHUB_API_URL"]
)
def test_with_a_way_to_github_it_is_none(way: str) -> None:
    assert not plan({way: "given"}).demo


def test_an_empty_variable_is_no_way_to_github() -> None:
    assert plan({"GITHUB_TOKEN": ""}).demo


def test_a_demo_can_be_had_in_spite_of_a_token() -> None:
    assert plan({"GITHUB_TOKEN": "given"}, demo=True).demo


def test_the_reason_of_a_demo_is_told() -> None:
    assert plan({"GITHUB_TOKEN": "given"}, demo=True).why_demo == "--demo was given"


def test_a_demo_never_shows_real_tokens_to_the_stand_in() -> None:
    real = {
        "GITHUB_TOKEN": "real",
        "GITHUB_TOKENS": "real",
        "GITHUB_APP_ID": "real",
        "GITHUB_APP_PRIVATE_KEY": "real",
        "GITHUB_PUBLIC_TOKEN": "real",
        "GITHUB_API_URL": "real",
        "GITHUB_WEBHOOK_SECRET": "real",
    }
    assert "real" not in settings_of(real, demo=True).values()


def test_a_demo_keeps_its_data_apart() -> None:
    var = Path("var")
    assert data_directory(var, plan({})) != data_directory(var, plan({"GITHUB_TOKEN": "t"}))


def test_a_demo_says_so_to_the_pages() -> None:
    assert settings_of({})["DEMO"] == "on"


def test_a_demo_s_settings_are_accepted() -> None:
    assert Settings.from_env(settings_of({})).demo


def test_real_settings_are_accepted() -> None:
    given = {"GITHUB_TOKEN": "ghp_" + "r" * 36}
    assert not Settings.from_env(settings_of(given)).demo


@pytest.mark.parametrize("given", ["public", "none"])
def test_a_given_scope_of_anonymous_callers_stays(given: str) -> None:
    assert settings_of({"ANONYMOUS_SCOPE": given})["ANONYMOUS_SCOPE"] == given


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_on_loopback_anonymous_callers_have_the_service_s_eyes(host: str) -> None:
    settings = settings_of({"GITHUB_TOKEN": "t", "HOST": host})
    assert settings["ANONYMOUS_SCOPE"] == "service"


def test_off_loopback_real_eyes_are_not_given_away() -> None:
    settings = settings_of({"GITHUB_TOKEN": "t", "HOST": "0.0.0.0"})
    assert "ANONYMOUS_SCOPE" not in settings


def test_given_stores_are_used_instead_of_embedded_ones() -> None:
    given = {"REDIS_URL": "redis://cache/3", "DATABASE_URL": "postgresql://db/forewarm"}
    settings = settings_of(given)
    assert {name: settings[name] for name in given} == given


def test_one_given_store_leaves_the_other_embedded() -> None:
    chosen = plan({"REDIS_URL": "redis://cache/3"})
    assert (chosen.embed_redis, chosen.embed_database) == (False, True)


def test_a_given_secret_key_stays() -> None:
    assert settings_of({"SECRET_KEY": "g" * 32})["SECRET_KEY"] == "g" * 32


def test_the_option_s_port_goes_before_the_environment_s() -> None:
    assert plan({"PORT": "8001"}, port="8002").port == "8002"


def test_the_port_is_8000_where_nobody_says_otherwise() -> None:
    assert plan({}).port == "8000"


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::1", "http://[::1]:8000"),
        ("box.local", "http://box.local:8000"),
    ],
)
def test_the_address_shown_can_be_opened(host: str, address: str) -> None:
    assert plan({"HOST": host}).address == address


def test_a_shell_reads_back_what_was_written(tmp_path: Path) -> None:
    held = {"WATCH": "pallets, psf/requests", "API_KEYS": "o'brien:$(echo no)\nnext line"}
    file = tmp_path / "env"
    file.write_text(as_shell(held))
    script = '. "$0"; printf "%s|%s" "$WATCH" "$API_KEYS"'
    read = subprocess.run(
        ["/bin/sh", "-c", script, str(file)], capture_output=True, text=True, check=True
    )
    assert read.stdout == f"{held['WATCH']}|{held['API_KEYS']}"


def test_only_forewarm_s_own_settings_are_written() -> None:
    written = as_shell({"PATH": "/bin", "ELASTIC_APM_SERVER_URL": "http://apm", "PORT": "1"})
    assert written == "ELASTIC_APM_SERVER_URL=http://apm\nPORT=1\n"
