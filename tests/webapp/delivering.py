"""Deliveries as GitHub sends them, to an application of this process."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import orjson
import psycopg
from werkzeug.test import TestResponse

from tests.serving import Forewarm
from tests.standin.webhooks import signature

SECRET = "a webhook secret for tests"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


def named(full_name: str = "pallets/flask", **fields: Any) -> dict[str, Any]:
    """The part of a payload that every event of a repository has."""
    owner = full_name.partition("/")[0]
    repository = {"full_name": full_name, "owner": {"login": owner}}
    return {"repository": repository, **fields}


def deliver(
    forewarm: Forewarm, event: str, payload: Any, guid: str = "", *, form: bool = False
) -> TestResponse:
    """A signed delivery, with an id of its own unless one is given."""
    body = orjson.dumps(payload)
    if form:
        body = urlencode({"payload": body.decode()}).encode()
    return post(forewarm, body, event=event, guid=guid, content_type=FORM if form else JSON)


def post(
    forewarm: Forewarm,
    body: bytes,
    *,
    event: str = "push",
    guid: str = "",
    content_type: str = JSON,
    **headers: str,
) -> TestResponse:
    """Any body; X_Hub_Signature_256="" leaves the signature out."""
    sent = {
        "Content_Type": content_type,
        "X_GitHub_Event": event,
        "X_GitHub_Delivery": guid or str(uuid.uuid4()),
        "X_Hub_Signature_256": signature(SECRET, body),
        **headers,
    }
    return forewarm.app.test_client().post(
        "/webhooks/github",
        data=body,
        headers={name.replace("_", "-"): value for name, value in sent.items() if value},
        base_url="http://127.0.0.1:8000",
    )


def rows(environ: dict[str, str], statement: str) -> list[tuple[Any, ...]]:
    """What the database answers."""
    with psycopg.connect(environ["DATABASE_URL"]) as conn:
        return conn.execute(statement).fetchall()


def forget_deliveries(environ: Mapping[str, str]) -> None:
    """None came, and no list is owed a purge."""
    with psycopg.connect(environ["DATABASE_URL"], autocommit=True) as conn:
        conn.execute("truncate webhook_deliveries, list_purges")
