"""Fixtures of every test folder. Each comes from the file that owns its subject."""

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
    "database_url",
    "empty_database_url",
    "environ",
    "forewarm",
    "github",
    "postgres",
    "redis_url",
    "server",
    "standin",
    "start_forewarm",
    "store_directory",
    "valkey",
]
