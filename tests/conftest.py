"""Fixtures of every test folder. Each comes from the file that owns its subject."""

from tests.queues import broker_url, jobs, store
from tests.serving import environ, forewarm, github, server, standin, start_forewarm
from tests.stores import (
    database_url,
    empty_database_url,
    postgres,
    redis_url,
    store_directory,
    valkey,
)

__all__ = [
    "broker_url",
    "database_url",
    "empty_database_url",
    "environ",
    "forewarm",
    "github",
    "jobs",
    "postgres",
    "redis_url",
    "server",
    "standin",
    "start_forewarm",
    "store",
    "store_directory",
    "valkey",
]
