"""Fixtures of every test folder. Each comes from the file that owns its subject."""

from tests.stores import database_url, postgres, redis_url, store_directory, valkey

__all__ = ["database_url", "postgres", "redis_url", "store_directory", "valkey"]
