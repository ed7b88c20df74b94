"""Redis or Valkey, as cache and as broker: reached, fast, and with a memory policy that fits each.

An entry may be evicted at any time, a job never: `volatile-*` does both (entries expire, jobs
don't). `allkeys-*` evicts jobs; `noeviction` with a limit refuses writes once it is full.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from webapp.doctor.finding import (
    Finding,
    fail,
    milliseconds,
    ok,
    present,
    warn,
)
from webapp.secret import Secret
from webapp.settings import Settings

TIMEOUT = 2.0  # seconds, for connecting and for each answer
PINGS = 5
SLOW = 0.02  # seconds a round trip; a hit should cost one of well under a millisecond


@dataclass(frozen=True, slots=True)
class Server:
    """What one says of itself. Sizes are bytes (0: no limit); None where it doesn't tell."""

    product: str
    run_id: str
    database: int
    latency: float  # seconds, median
    replica: bool
    policy: str
    maxmemory: int
    used: int
    maxclients: int | None
    saves: bool | None
    last_write_failed: bool


@dataclass(frozen=True, slots=True)
class Unreached:
    """Why it can't be asked; redis-py's texts name host and port, never a password."""

    reason: str


Seen = Server | Unreached


def check(settings: Settings) -> list[Finding]:
    """Ask both, then judge what they said."""
    return judge(probe(settings.redis_url), probe(settings.broker_url), settings)


def judge(cache: Seen, broker: Seen, settings: Settings) -> list[Finding]:
    """Pure. One server in both roles is judged once."""
    findings = [_reached("cache", "REDIS_URL", cache), _reached("broker", "BROKER_URL", broker)]
    for role, server in (("cache", cache), ("broker", broker)):
        if isinstance(server, Server):
            findings += present(*(rule(role, server) for rule in EACH))
    if isinstance(cache, Server):
        findings += present(_connections(cache, settings))
    if isinstance(cache, Server) and isinstance(broker, Server):
        findings += [rule(cache, broker) for rule in BOTH]
    return findings


def probe(url: Secret) -> Seen:
    """Connect and ask for INFO, which managed servers allow where they forbid CONFIG."""
    client = redis.Redis.from_url(
        url.reveal(),
        socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )
    try:
        with client:
            info: dict[str, Any] = dict(client.info())
            return Server(
                product=_product(info),
                run_id=str(info.get("run_id", "")),
                database=int(urlsplit(url.reveal()).path.strip("/") or 0),
                latency=_latency(client),
                replica=info.get("role") == "slave",
                policy=str(info.get("maxmemory_policy", "unknown")),
                maxmemory=int(info.get("maxmemory", 0)),
                used=int(info.get("used_memory", 0)),
                maxclients=info.get("maxclients"),
                saves=_saves(client, info),
                last_write_failed="err"
                in {info.get("rdb_last_bgsave_status"), info.get("aof_last_write_status")},
            )
    except redis.RedisError as error:
        return Unreached(" ".join(str(error).split()) or type(error).__name__)


def _product(info: dict[str, Any]) -> str:
    if info.get("server_name") == "valkey":
        return f"Valkey {info.get('valkey_version', '')}".strip()
    return f"Redis {info.get('redis_version', '')}".strip()


def _latency(client: redis.Redis) -> float:
    times = []
    for _ in range(PINGS):
        began = time.perf_counter()
        client.ping()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def _saves(client: redis.Redis, info: dict[str, Any]) -> bool | None:
    """Whether it writes to disk; snapshots stand in a setting that may not be ours to read."""
    if info.get("aof_enabled"):
        return True
    try:
        snapshots = client.config_get("save")
    except redis.ResponseError:
        return None
    return bool(snapshots.get("save"))


def _reached(role: str, variable: str, seen: Seen) -> Finding:
    if isinstance(seen, Unreached):
        without = "serving without it" if role == "cache" else "no job runs"
        return fail(role, f"can't be reached, {without}: {seen.reason}", f"see {variable}")
    where = f"{seen.product}, database {seen.database}"
    if seen.latency > SLOW:
        return warn(
            role,
            f"{where}: slow, {milliseconds(seen.latency)} a round trip",
            f"put {variable}'s server nearer (a request gives up after 250 ms)",
        )
    return ok(role, f"{where}, {milliseconds(seen.latency)} a round trip")


def _writable(role: str, server: Server) -> Finding | None:
    name = f"{role} writes"
    if server.replica:
        return fail(name, "it is a read-only replica", "name the primary")
    if server.last_write_failed:
        return fail(
            name,
            "its last write to disk failed; it may refuse writes",
            "look at its log and its disk",
        )
    return None


def _eviction(role: str, server: Server) -> Finding:
    """See the module's first lines for the rule."""
    name, policy = f"{role} eviction", server.policy
    if not server.maxmemory:
        return ok(name, f"{policy}, no maxmemory: nothing is evicted, memory grows as it needs")
    held = f"{policy}, {_size(server.used)} of {_size(server.maxmemory)} used"
    cure = "set its maxmemory-policy to volatile-lfu"
    if role == "broker" and policy.startswith("allkeys"):
        return warn(name, f"{held}: it evicts jobs when it is full", cure)
    if role == "cache" and policy == "noeviction":
        return warn(name, f"{held}: it refuses writes when it is full", cure)
    return ok(name, held)


def _connections(server: Server, settings: Settings) -> Finding | None:
    """Web processes, one worker process and the scheduler, as docs/operations.md counts them."""
    web = settings.redis_pool + 3
    worker = -(-settings.redis_pool * 2 // 3) + 5
    wanted = settings.web_concurrency * web + worker + 1
    if server.maxclients is None or server.maxclients >= wanted:
        return None
    return warn(
        "cache connections",
        f"it allows {server.maxclients}; web, a worker and the scheduler may open {wanted}",
        "lower REDIS_POOL or WEB_CONCURRENCY, or take a larger plan",
    )


def _databases(cache: Server, broker: Server) -> Finding:
    name = "databases"
    if cache.run_id != broker.run_id:
        return ok(name, "cache and broker are two servers")
    if cache.database == broker.database:
        return warn(
            name,
            f"cache and broker share database {cache.database}: emptying one loses the other",
            "give BROKER_URL another database number",
        )
    return ok(name, f"cache {cache.database} and broker {broker.database} of one server")


def _shared_memory(cache: Server, broker: Server) -> Finding:
    name = "shared memory"
    if cache.run_id == broker.run_id and broker.maxmemory and broker.policy == "noeviction":
        return warn(
            name,
            "entries fill the broker's memory, and then jobs are refused",
            "set its maxmemory-policy to volatile-lfu, or give the broker a server of its own",
        )
    return ok(name, "entries make room for jobs")


def _persistence(cache: Server, broker: Server) -> Finding:
    """The cache needs none: the archive remembers validators, so that refilling is free."""
    del cache
    name = "persistence"
    if broker.saves is None:
        return ok(name, "the broker's server doesn't say whether it keeps its data")
    if broker.saves:
        return ok(name, "the broker's server keeps its data")
    return warn(
        name,
        "the broker's server keeps nothing: a restart loses queued jobs",
        "set its appendonly to yes",
    )


def _size(number: int) -> str:
    return f"{number / 1024**2:,.0f} MB" if number < 1024**3 else f"{number / 1024**3:,.1f} GB"


EACH: tuple[Callable[[str, Server], Finding | None], ...] = (_writable, _eviction)
BOTH: tuple[Callable[[Server, Server], Finding], ...] = (_databases, _shared_memory, _persistence)
