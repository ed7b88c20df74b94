"""The App: its JWT, installations, tokens of both forms, deliveries."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import githubkit_schemas.latest.models as models
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import TypeAdapter

from tests.standin.apps import APP_ID
from tests.standin.client import Client
from tests.standin.process import StandIn
from tests.standin.receiver import Receiver

PEM = serialization.Encoding.PEM


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public(key: rsa.RSAPrivateKey) -> str:
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(PEM, spki).decode()


def test_the_key_can_come_from_a_file(tmp_path: Path, key: rsa.RSAPrivateKey) -> None:
    file = tmp_path / "public.pem"
    file.write_text(public(key))
    claims = {"iat": int(time.time()), "exp": int(time.time()) + 60, "iss": str(APP_ID)}
    encoded = jwt.encode(claims, key, algorithm="RS256")

    with StandIn.start(app_key=file) as github, Client(github.url) as client:
        assert client.get("/app", token=encoded).status_code == 200


class App:
    """Asks as the App."""

    def __init__(self, client: Client, github: StandIn, key: rsa.RSAPrivateKey) -> None:
        self._client, self._key = client, key
        github.app(public(key))

    def jwt(self, *, seconds: int = 300, issuer: int = APP_ID) -> str:
        now = int(time.time())
        claims = {"iat": now - 30, "exp": now + seconds, "iss": str(issuer)}
        return jwt.encode(claims, self._key, algorithm="RS256")

    def ask(self, method: str, path: str, json: Any = None) -> Any:
        return self._client.ask(method, path, token=self.jwt(), json=json)

    def token(self, installation: int, **body: Any) -> str:
        path = f"/app/installations/{installation}/access_tokens"
        answer = self.ask("POST", path, body)
        assert answer.status_code == 201, answer.text
        TypeAdapter(models.InstallationToken).validate_python(answer.json())
        return str(answer.json()["token"])


@pytest.fixture
def app(client: Client, github: StandIn, key: rsa.RSAPrivateKey) -> App:
    return App(client, github, key)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def test_the_app_knows_itself(app: App) -> None:
    answer = app.ask("GET", "/app")

    assert TypeAdapter(models.Integration).validate_python(answer.json()).id == APP_ID


@pytest.mark.parametrize(
    "bad",
    [{"seconds": 700}, {"seconds": -5}, {"issuer": 1}],
    ids=["too long", "expired", "another App"],
)
def test_a_jwt_that_is_not_good_is_401(client: Client, app: App, bad: dict[str, int]) -> None:
    assert client.get("/app", token=app.jwt(**bad)).status_code == 401


def test_a_jwt_of_another_key_is_401(client: Client, app: App, github: StandIn) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoded = app.jwt()
    github.app(public(other))

    assert client.get("/app", token=encoded).status_code == 401


def test_the_apps_paths_want_a_jwt(client: Client) -> None:
    assert client.get("/app").status_code == 401


def test_an_installation_is_found_by_owner_and_repository(app: App, github: StandIn) -> None:
    installed = github.install("initech")

    for path in ("/orgs/initech/installation", "/repos/initech/website/installation"):
        answer = app.ask("GET", path)
        assert TypeAdapter(models.Installation).validate_python(answer.json()).id == installed
    assert app.ask("GET", "/users/mitsuhiko/installation").status_code == 404
    assert [i["id"] for i in app.ask("GET", "/app/installations").json()] == [installed]


def test_an_installation_token_sees_its_owner_alone(
    client: Client, app: App, github: StandIn
) -> None:
    token = app.token(github.install("initech"))

    assert client.get("/repos/initech/alice-only", token=token).status_code == 200
    assert client.get("/repos/pallets/flask", token=token).status_code == 200


def test_a_token_can_be_limited_to_some_repositories(
    client: Client, app: App, github: StandIn
) -> None:
    token = app.token(github.install("initech"), repositories=["payroll"])

    assert client.get("/repos/initech/payroll", token=token).status_code == 200
    assert client.get("/repos/initech/shared", token=token).status_code == 404


def test_a_short_token_has_forty_characters(app: App, github: StandIn) -> None:
    token = app.token(github.install("initech"))

    assert token.startswith("ghs_")
    assert len(token) == 40


def test_a_long_token_has_two_dots(
    client: Client, app: App, github: StandIn, key: rsa.RSAPrivateKey
) -> None:
    github.app(public(key), token_form="long")
    token = app.token(github.install("initech"))

    assert (token.startswith("ghs_"), token.count("."), len(token)) == (True, 2, 520)
    assert client.get("/repos/initech/payroll", token=token).status_code == 200


def test_a_token_lives_an_hour(client: Client, app: App, github: StandIn) -> None:
    token = app.token(github.install("initech"))
    github.advance(3599)
    assert client.get("/repos/initech/payroll", token=token).status_code == 200

    github.advance(2)

    assert client.get("/repos/initech/payroll", token=token).status_code == 401


def test_a_token_can_be_given_back(client: Client, app: App, github: StandIn) -> None:
    token = app.token(github.install("initech"))

    assert client.ask("DELETE", "/installation/token", token=token).status_code == 204
    assert client.get("/repos/initech/payroll", token=token).status_code == 401


def test_tokens_of_an_installation_share_its_limit(
    client: Client, app: App, github: StandIn
) -> None:
    github.add_repos("psf", 40)
    installed = github.install("psf")
    first, second = app.token(installed), app.token(installed)

    left = [
        int(client.get("/orgs/psf", token=token).headers["X-RateLimit-Remaining"])
        for token in (first, second)
    ]

    # 5,000 and 50 for each repository above 20.
    assert left == [5000 + 50 * 30 - 1, 5000 + 50 * 30 - 2]


def test_a_suspended_installation_is_403(client: Client, app: App, github: StandIn) -> None:
    installed = github.install("initech")
    token = app.token(installed)
    github.suspend(installed)

    path = f"/app/installations/{installed}/access_tokens"
    assert app.ask("POST", path).status_code == 403
    assert client.get("/repos/initech/payroll", token=token).status_code == 403


def test_a_removed_installation_is_404_and_its_tokens_bad(
    client: Client, app: App, github: StandIn
) -> None:
    installed = github.install("initech")
    token = app.token(installed)
    github.uninstall(installed)

    path = f"/app/installations/{installed}/access_tokens"
    assert app.ask("POST", path).status_code == 404
    assert client.get("/repos/initech/payroll", token=token).status_code == 401


def test_an_installations_repositories_are_wrapped(
    client: Client, app: App, github: StandIn
) -> None:
    token = app.token(github.install("initech"))

    answer = client.get("/installation/repositories?per_page=5", token=token)

    shape = models.InstallationRepositoriesGetResponse200
    assert TypeAdapter(shape).validate_python(answer.json()).total_count == 12
    assert "next" in answer.links


def test_an_installation_is_refused_what_it_was_not_given(
    client: Client, app: App, github: StandIn
) -> None:
    token = app.token(github.install("initech"))

    answer = client.get("/orgs/initech/hooks", token=token)

    assert answer.json()["message"] == "Resource not accessible by integration"


def test_a_removed_installation_is_told(app: App, github: StandIn, receiver: Receiver) -> None:
    installed = github.install("initech")
    github.hook(receiver.url, "secret")
    github.uninstall(installed)

    delivery = receiver.next()

    assert (delivery.event, delivery.json["action"]) == ("installation", "deleted")


def test_deliveries_are_listed_and_sent_again(
    app: App, github: StandIn, receiver: Receiver
) -> None:
    github.install("initech")
    github.hook(receiver.url, "secret")
    github.push("initech/website")
    guid = receiver.next().headers["x-github-delivery"]

    listed = app.ask("GET", "/app/hook/deliveries").json()
    rows = TypeAdapter(list[models.HookDeliveryItem]).validate_python(listed)
    assert [row.guid for row in rows] == [guid]

    path = f"/app/hook/deliveries/{rows[0].id}/attempts"
    assert app.ask("POST", path).status_code == 202
    assert receiver.next().headers["x-github-delivery"] == guid
