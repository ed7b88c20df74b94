"""What no client should send, over raw sockets to a real server: each a clean 4xx.

Clean: GitHub's shape where we answer, an empty body where the server refuses before us; GitHub is
not asked, nothing is stored, and nobody beyond GITHUB_API_URL is spoken to.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
import redis

from script.embedded import Postgres, Valkey
from tests.serving import API_KEY, serve
from tests.standin.accounts import ALICE_TOKEN
from tests.standin.process import StandIn
from tests.webapp.lasting import emptied, lasting_environ
from tests.webapp.wire import RawAnswer, ask, chunked, exchange

KEY = b"Authorization: Bearer " + API_KEY.encode()
ALICE = b"Authorization: Bearer " + ALICE_TOKEN.encode()
JSON = b"Content-Type: application/json"
DETAIL = b"/api/v3/repos/pallets/flask"
ISSUES = b"/api/v3/repos/initech/shared/issues"


@dataclass(frozen=True, slots=True)
class Site:
    """A running Forewarm, what it asks, where it stores, and a place it must never speak to."""

    url: str
    github: StandIn
    redis: redis.Redis
    elsewhere: socket.socket
    log: Path
    environ: dict[str, str]

    @property
    def netloc(self) -> bytes:
        return self.url.removeprefix("http://").encode()

    @property
    def evil(self) -> bytes:
        """host:port of elsewhere; a name of loopback's own, so that a connection would succeed."""
        return b"127.0.0.1:%d" % self.elsewhere.getsockname()[1]

    def stored(self) -> int:
        return len(self.redis.keys("fw:e:*"))

    def elsewhere_was_asked(self) -> bool:
        with suppress(BlockingIOError):
            self.elsewhere.accept()[0].close()
            return True
        return False


@pytest.fixture(scope="module")
def running(
    valkey: Valkey, postgres: Postgres, standin: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """One server for the whole module: bad input leaves nothing behind, or a test fails."""
    log = tmp_path_factory.mktemp("bad-input") / "server.log"
    with (
        lasting_environ(valkey, postgres, standin, "bad_input") as environ,
        serve(environ, log) as server,
        redis.Redis.from_url(valkey.url) as client,
        socket.create_server(("127.0.0.1", 0)) as elsewhere,
    ):
        elsewhere.setblocking(False)
        yield Site(server.url, standin, client, elsewhere, log, environ)


@pytest.fixture
def site(running: Site) -> Iterator[Site]:
    emptied(running.environ, running.github)
    told = len(running.log.read_text())
    yield running
    assert not running.elsewhere_was_asked()
    assert "Traceback" not in running.log.read_text()[told:]


def assert_refused(site: Site, answer: RawAnswer, status: int | tuple[int, ...]) -> None:
    """By us, in GitHub's shape, without asking or storing anything."""
    expected = status if isinstance(status, tuple) else (status,)
    assert answer.status in expected, (answer.status, answer.body[:200])
    body = orjson.loads(answer.body)
    assert set(body) == {"message", "documentation_url", "status"}
    assert body["status"] == str(answer.status)
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    assert_untouched(site)


def assert_untouched(site: Site) -> None:
    assert site.github.count() == 0
    assert site.stored() == 0


SEGMENTS = [
    b"/repos/./flask",
    b"/repos/../user",
    b"/repos/%2e/flask",
    b"/repos/%2e%2e/user",
    b"/repos/%2E%2E/user",
    b"/repos/.%2e/user",
    b"/repos/%2e./user",
    b"/repos/pallets/flask/..",
    b"/repos/pallets/flask/%2e%2e",
    b"/..",
    b"/.",
    b"/%2e%2e/%2e%2e/healthz",
    b"/../../healthz",
    b"/repos/pallets%2f..%2f..%2fuser",
    b"/repos/pallets%2F%2e%2e%2Fuser",
]


@pytest.mark.parametrize("path", SEGMENTS)
def test_a_dot_segment_is_refused_after_decoding(site: Site, path: bytes) -> None:
    assert_refused(site, ask(site.url, b"/api/v3" + path, KEY), 400)


CHARACTERS = [
    b"/repos/a%00b/c",
    b"/repos/pallets/flask%00.json",
    b"/%00",
    b"/repos/a%09b/c",
    b"/repos/a%0ab/c",
    b"/repos/a%0d%0aX-Injected:%20yes/c",
    b"/repos/pallets/flask%0d%0a",
    b"/%0a",
    b"/repos/a%1fb/c",
    b"/repos/a%7fb/c",
    b"/repos/a\\b/c",
    b"/repos/a%5cb/c",
    b"/repos/..%5c..%5cuser",
    b"/repos/%ff/c",
    b"/repos/%c3%28/c",
    b"/repos/%ed%a0%80/c",
    b"/repos/%c0%ae%c0%ae/user",
]


@pytest.mark.parametrize("path", CHARACTERS)
def test_a_character_that_no_path_holds_is_refused(site: Site, path: bytes) -> None:
    answer = ask(site.url, b"/api/v3" + path, KEY)
    assert_refused(site, answer, 400)
    assert "X-Injected" not in answer.headers


RAW = [
    b"/repos/\xff/c",
    b"/repos/pallets/flask?a=\xff",
    b"/repos/a b/c",
    b"/repos/a\x00b/c",
    b"/repos/a\x1fb/c",
    b"/repos/a\tb/c",
]


@pytest.mark.parametrize("path", RAW)
def test_a_byte_that_no_url_holds_is_refused_by_the_server(site: Site, path: bytes) -> None:
    assert ask(site.url, b"/api/v3" + path, KEY).status == 400
    assert_untouched(site)


QUERIES = [
    (b"a=%ff", 400),
    (b"a=%c3%28", 400),
    (b"access_token=ghp_x", 400),
    (b"ACCESS_TOKEN=ghp_x", 400),
    (b"access%5ftoken=ghp_x", 400),
    (b"page=2&%61ccess_token=ghp_x", 400),
    (b"client_id=a&client_secret=b", 400),
    (b"&".join(b"a%d=1" % each for each in range(300)), 400),
    (b"a=" + b"x" * 10_000, 414),
    (b"&".join(b"a%d=1" % each for each in range(2_000)), 414),
]


@pytest.mark.parametrize(("query", "status"), QUERIES, ids=lambda each: str(each)[:30])
def test_a_query_that_cannot_be_meant_is_refused(site: Site, query: bytes, status: int) -> None:
    assert_refused(site, ask(site.url, DETAIL + b"?" + query, KEY), status)


def test_a_long_path_is_refused(site: Site) -> None:
    assert_refused(site, ask(site.url, b"/api/v3/repos/" + b"a" * 10_000 + b"/c", KEY), 414)


@pytest.mark.parametrize(
    "target",
    [
        b"/api/v3/" + b"a" * 100_000,
        DETAIL + b"?" + b"a" * 100_000,
        DETAIL + b"?" + b"&".join(b"a%d=1" % each for each in range(10_000)),
    ],
    ids=["path", "query", "parameters"],
)
def test_a_url_of_100_kb_is_refused_by_the_server(site: Site, target: bytes) -> None:
    assert ask(site.url, target, KEY).status == 414
    assert_untouched(site)


@pytest.mark.parametrize(
    "lines",
    [
        [b"X-Long: " + b"a" * 1_000_000],
        [b"X-%d: a" % each for each in range(5_000)],
    ],
    ids=["long", "many"],
)
def test_huge_headers_are_refused_by_the_server(site: Site, lines: list[bytes]) -> None:
    assert ask(site.url, DETAIL, KEY, *lines).status == 431
    assert_untouched(site)


@pytest.mark.parametrize(
    "line",
    [b"Accept: " + b"a" * 2_000, b"X-GitHub-Api-Version: " + b"2" * 200],
    ids=["accept", "version"],
)
def test_a_long_header_that_would_be_kept_is_refused(site: Site, line: bytes) -> None:
    assert_refused(site, ask(site.url, DETAIL, KEY, line), 400)


@pytest.mark.parametrize(
    "line",
    [
        b"Accept: a\x00b",
        b"Accept: a\rb",
        b"Accept : a",
        b"X-GitHub-Api-Version: 2022\x00",
        b"Authorization: Bearer a\x00b",
        b"no colon at all",
        b": no name",
    ],
)
def test_a_broken_header_line_is_refused_by_the_server(site: Site, line: bytes) -> None:
    assert ask(site.url, DETAIL, line).status == 400
    assert_untouched(site)


def test_a_header_line_within_a_path_is_part_of_the_path(site: Site) -> None:
    target = DETAIL + b"%20HTTP/1.1%0d%0aHost:%20" + site.evil + b"%0d%0a%0d%0a"
    assert_refused(site, ask(site.url, target, KEY), 400)


def test_an_unknown_path_gives_githubs_own_404(site: Site) -> None:
    answer = ask(site.url, b"/api/v3/no/such/thing", KEY)
    assert answer.status == 404
    assert orjson.loads(answer.body) == {
        "message": "Not Found",
        "documentation_url": "https://docs.github.com/rest",
        "status": "404",
    }
    assert site.github.count() == 1


@pytest.mark.parametrize("path", [b"/nope", b"/api/nope", b"/api/v3x", b"/..", b"/%00", b"//x"])
def test_an_unknown_path_outside_the_mirror_is_404_in_the_same_shape(
    site: Site, path: bytes
) -> None:
    assert_refused(site, ask(site.url, path), 404)


HOSTS = [
    b"evil.example",
    b"evil.example:80",
    b"127.0.0.1.evil.example",
    b"localhost.evil.example",
    b"evil.example@127.0.0.1",
    b"127.0.0.1@evil.example",
    b"127.0.0.1:8000@evil.example",
    b"127.0.0.1, evil.example",
    b"127.0.0.1/evil.example",
    b"127.0.0.1#evil.example",
    b"127.0.0.1?evil.example",
    b"127.0.0.1:99999",
    b"127.0.0.1:-1",
    b"127.0.0.1:x",
    b"0.0.0.0",
    b"169.254.169.254",
    b"[::ffff:169.254.169.254]",
    b'[::1%25"]',
    b"[::1",
    b'"',
    b"<script>",
    b"",
]


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_that_is_not_ours_is_refused(site: Site, host: bytes) -> None:
    assert_refused(site, ask(site.url, DETAIL, KEY, host=host), 400)


def test_a_second_host_is_refused(site: Site) -> None:
    for first, second in ((site.netloc, site.evil), (site.evil, site.netloc)):
        answer = ask(site.url, DETAIL, KEY, b"Host: " + second, host=first)
        assert_refused(site, answer, 400)


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_a_request_without_a_host_is_refused(site: Site, version: bytes) -> None:
    head = b"GET %s HTTP/%s\r\n%s\r\nConnection: close\r\n\r\n" % (DETAIL, version, KEY)
    assert_refused(site, exchange(site.url, head), 400)


def test_health_is_told_to_whoever_asks_by_any_name(site: Site) -> None:
    assert ask(site.url, b"/healthz", host=b"10.0.0.7:8000").status == 200
    assert exchange(site.url, b"GET /healthz HTTP/1.0\r\n\r\n").status == 200


@pytest.mark.parametrize("forwarded", [b"evil.example", b"evil.example, 127.0.0.1", b'"'])
def test_a_forwarded_host_from_elsewhere_is_refused(site: Site, forwarded: bytes) -> None:
    answer = ask(site.url, DETAIL, KEY, b"X-Forwarded-Host: " + forwarded)
    assert_refused(site, answer, 400)


def test_no_host_from_elsewhere_gets_into_a_body(site: Site) -> None:
    ask(site.url, DETAIL, KEY, host=site.evil)  # a loopback name with another port: taken
    lines = [b"X-Forwarded-Host: evil.example", b"Forwarded: host=evil.example;proto=https"]
    for line in (*lines, b"X-Forwarded-Proto: https", b"X-Forwarded-Port: 1", b"X-Host: evil"):
        ask(site.url, DETAIL, KEY, line)
    answer = ask(site.url, DETAIL, KEY)
    assert answer.status == 200
    assert orjson.loads(answer.body)["url"] == f"{site.url}{DETAIL.decode()}"
    assert site.evil not in answer.body
    assert b"evil" not in answer.body


ABSOLUTE = ["http://{own}", "https://{own}", "http://{evil}", "http://user:secret@{evil}"]


@pytest.mark.parametrize("form", ABSOLUTE)
def test_an_absolute_uri_is_read_as_its_path(site: Site, form: str) -> None:
    prefix = form.format(own=site.netloc.decode(), evil=site.evil.decode()).encode()
    answer = ask(site.url, prefix + DETAIL, KEY)
    assert answer.status == 200
    assert orjson.loads(answer.body)["url"] == f"{site.url}{DETAIL.decode()}"
    assert [each.target for each in site.github.requests()] == ["/repos/pallets/flask"]


def test_an_encoded_slash_is_read_as_a_slash(site: Site) -> None:
    first = ask(site.url, DETAIL, KEY)
    second = ask(site.url, b"/api/v3/repos%2Fpallets%2fflask", KEY)
    third = ask(site.url, b"/api%2Fv3/repos/pallets/flask", KEY)
    assert first.body == second.body == third.body
    assert site.github.count() == 1


def test_doubled_slashes_in_front_change_nothing(site: Site) -> None:
    assert ask(site.url, b"//api/v3/repos/pallets/flask", KEY).status == 200
    assert [each.target for each in site.github.requests()] == ["/repos/pallets/flask"]


@pytest.mark.parametrize("path", [b"//%s/x", b"///%s/x", b"/%%2f%s/x", b"/http://%s/x", b"/@%s"])
def test_a_path_that_names_a_host_is_only_a_path(site: Site, path: bytes) -> None:
    answer = ask(site.url, b"/api/v3" + path % site.evil, KEY)
    assert answer.status == 404
    assert answer.message == "Not Found"
    assert site.github.count() == 1


@pytest.mark.parametrize("target", [b"//%s/api/v3/x", b"/http://%s/", b"http:%s/x"])
def test_a_target_that_names_a_host_leads_nowhere(site: Site, target: bytes) -> None:
    assert 400 <= ask(site.url, target % site.evil, KEY).status < 500
    assert_untouched(site)


@pytest.mark.parametrize("line", [b"GET", b"GET / HTTP/9.9", b"\x16\x03\x01\x02\x00", b"{}"])
def test_what_is_not_http_is_refused_by_the_server(site: Site, line: bytes) -> None:
    assert exchange(site.url, line + b"\r\n\r\n").status in {0, 400, 505}
    assert_untouched(site)


METHODS = [b"OPTIONS", b"TRACE", b"PROPFIND", b"CONNECT", b"LINK", b"X" * 200]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("caller", [KEY, ALICE, b"X-Nobody: 1"], ids=["key", "token", "nobody"])
def test_a_method_that_github_has_not_is_refused(site: Site, method: bytes, caller: bytes) -> None:
    answer = ask(site.url, DETAIL, caller, method=method)
    assert_refused(site, answer, 405)
    assert set(answer.headers["Allow"].split(", ")) >= {"GET", "HEAD", "POST", "PATCH", "DELETE"}


@pytest.mark.parametrize("method", [b"GE T", b"G\x00T", b"G(T", b""])
def test_a_malformed_method_is_refused_by_the_server(site: Site, method: bytes) -> None:
    assert ask(site.url, DETAIL, KEY, method=method).status in {0, 400}
    assert_untouched(site)


AUTHORIZATIONS = [
    b"Bearer",
    b"Bearer fwk_unknown-key-0000000001",
    b"bearer FWK_unknown-key-0000000001",
    b'Bearer "fwk_unknown-key-0000000001"',
    b"token fwk_",
    b"Basic fwk_unknown",
    b"Basic Zndrx25vOng=",
    b"Basic !!!!",
    b"Digest username=x",
    b"Bearer a b",
    b"Bearer a\tb",
    b"Bearer " + b"a" * 5_000,
    b"fwk_unknown-key-0000000001",
]


@pytest.mark.parametrize("authorization", AUTHORIZATIONS)
@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_a_malformed_or_unknown_authorization_never_reaches_github(
    site: Site, authorization: bytes, method: bytes
) -> None:
    answer = ask(site.url, DETAIL, b"Authorization: " + authorization, method=method)
    assert_refused(site, answer, 401)
    assert answer.message == "Bad credentials"


def test_two_authorizations_are_refused(site: Site) -> None:
    for pair in ((KEY, ALICE), (ALICE, KEY)):
        assert_refused(site, ask(site.url, DETAIL, *pair), 401)


def test_an_unreadable_authorization_never_gives_more_than_an_anonymous_ones_eyes(
    site: Site,
) -> None:
    # The server drops header values that aren't ASCII, so this one is nobody's.
    answer = ask(
        site.url, b"/api/v3/repos/initech/payroll", b"Authorization: Bearer \xe9" + API_KEY.encode()
    )
    assert answer.status in {401, 404}
    assert {each.token for each in site.github.requests()} <= {"anonymous"}


CACHE_CONTROLS = [
    b"max-age",
    b"max-age=",
    b"max-age=-1",
    b"max-age=1e9",
    b"max-age=\xb2",
    b"max-age=99999999999999999999999999",
    b"max-age=nan",
    b'max-age="',
    b",,;=,",
    b"no-store, max-stale=x, min-fresh=y",
]


@pytest.mark.parametrize("value", CACHE_CONTROLS)
def test_a_cache_control_that_cannot_be_parsed_is_as_absent(site: Site, value: bytes) -> None:
    ask(site.url, DETAIL, KEY)
    answer = ask(site.url, DETAIL, KEY, b"Cache-Control: " + value)
    assert (answer.status, answer.headers["X-Cache"]) == (200, "HIT")


CONDITIONS = [
    b"If-Modified-Since: soon",
    b"If-Modified-Since: Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
    b"If-Modified-Since: Mon, 01 Jan 2024 00:00:00 +9999999999999",
    b"If-Modified-Since: Mon, 99 Jan 2024 99:99:99 GMT",
    b"If-Modified-Since: Mon, 01 Jan 1990 00:00:00 -0000",
    b"If-None-Match: ",
    b'If-None-Match: "',
    b"If-None-Match: ,,,",
    b"If-None-Match: W/",
    b"If-None-Match: " + b'"a", ' * 5_000,
    b"Accept-Encoding: gzip;q=nan",
    b"Accept-Encoding: ;;;===,,,",
    b"Accept-Encoding: " + b"br, " * 5_000,
    b"Range: bytes=0-0",
    b"If-Range: x",
    b"Expect: nothing",
    b"Cookie: " + b"a=b; " * 1_000,
]


@pytest.mark.parametrize("line", CONDITIONS, ids=lambda each: each[:40].decode())
def test_a_header_that_cannot_be_parsed_is_as_absent(site: Site, line: bytes) -> None:
    whole = ask(site.url, DETAIL, KEY).body
    answer = ask(site.url, DETAIL, KEY, line)
    assert (answer.status, answer.headers["X-Cache"]) == (200, "HIT")
    assert answer.body == whole


PATHS_FOR_HEAD = [
    b"/",
    b"/healthz",
    b"/readyz",
    b"/nope",
    b"/api/purge",
    b"/api/entries",
    b"/api/v3",
    b"/api/v3/",
    DETAIL,
    b"/api/v3/no/such/thing",
    b"/api/v3/user",
    b"/api/v3/repos/pallets/flask/tarball",
    b"/api/v3/repos/initech/blocked",
    b"/api/v3/repos/initech/old-name",
    b"/api/v3/repos/initech/empty/contributors",
    b"/api/v3/repos/..",
]


@pytest.mark.parametrize("path", PATHS_FOR_HEAD)
def test_a_head_is_the_get_without_its_body(site: Site, path: bytes) -> None:
    head, got = (ask(site.url, path, KEY, method=method) for method in (b"HEAD", b"GET"))
    assert head.status == got.status
    assert head.body == b""
    assert head.headers.get("Content-Type") == got.headers.get("Content-Type")


def test_a_path_in_another_script_reaches_github_as_it_is(site: Site) -> None:
    ask(site.url, DETAIL + b"/contents/caf%C3%A9%20%E4%B8%AD%3F%23%25", KEY)
    (seen,) = site.github.requests()
    assert seen.target == "/repos/pallets/flask/contents/caf%C3%A9%20%E4%B8%AD%3F%23%25"


def test_a_chunked_write_reaches_github_whole(site: Site) -> None:
    body = chunked([b'{"title":', b'"in', b' pieces"}'])
    answer = write(site, b"Transfer-Encoding: chunked", body)
    assert answer.status == 201
    assert orjson.loads(answer.body)["title"] == "in pieces"


LIMIT = 50 * 1024 * 1024


def write(site: Site, line: bytes, *body: bytes) -> RawAnswer:
    head = (b"POST %s HTTP/1.1" % ISSUES, b"Host: " + site.netloc, ALICE, JSON, line)
    return exchange(
        site.url, b"\r\n".join(head) + b"\r\nConnection: close\r\n\r\n", *body, method="POST"
    )


def test_a_body_over_the_limit_is_refused_by_its_announced_length(site: Site) -> None:
    assert_refused(site, write(site, b"Content-Length: %d" % (LIMIT + 1), b"{"), 413)


def test_a_body_of_60_mb_is_refused(site: Site) -> None:
    body = b"x" * 60_000_000
    assert_refused(site, write(site, b"Content-Length: %d" % len(body), body), 413)


def test_a_chunked_body_of_60_mb_is_refused_not_cut(site: Site) -> None:
    body = chunked([b"x" * 1_000_000] * 60)
    assert_refused(site, write(site, b"Transfer-Encoding: chunked", body), 413)


def test_a_large_body_of_a_key_holder_is_refused_unread(site: Site) -> None:
    answer = ask(site.url, ISSUES, KEY, method=b"POST", body=b"x" * 60_000_000)
    assert_refused(site, answer, 403)


@pytest.mark.parametrize("line", [b"Content-Length: x", b"Content-Length: -1", b"Content-Length: "])
def test_a_malformed_length_is_refused_by_the_server(site: Site, line: bytes) -> None:
    assert write(site, line).status == 400
    assert_untouched(site)


def test_contradicting_lengths_are_refused_by_the_server(site: Site) -> None:
    lines = b"Content-Length: 2\r\nContent-Length: 40"
    assert write(site, lines, b"{}").status == 400
    assert_untouched(site)


def test_a_second_request_smuggled_in_a_body_is_never_answered(site: Site) -> None:
    smuggled = b"GET /api/v3/repos/initech/payroll HTTP/1.1\r\nHost: x\r\n\r\n"
    body = chunked([b'{"title":"a"}']) + smuggled
    write(site, b"Content-Length: %d\r\nTransfer-Encoding: chunked" % len(body), body)
    assert {each.path for each in site.github.requests()} <= {"/repos/initech/shared/issues"}


PURGES = [
    (b"[" * 100_000, "body"),
    (b'{"a":' * 50_000, "body"),
    (b"{", "body"),
    (b"null", "body"),
    (b"[]", "body"),
    (b"\xff", "body"),
    (b'{"paths":["//["]}', "paths"),
    (b'{"paths":["//[evil"]}', "paths"),
    (b'{"paths":["http://evil/x"]}', "paths.0"),
    (b'{"paths":["/repos/\\ud800/x"]}', "body"),
    (b'{"paths":["/repos/..//x"]}', "path"),
    (b'{"paths":["/repos/\\u0000/x"]}', "path"),
]


@pytest.mark.parametrize(("body", "named"), PURGES, ids=lambda each: str(each)[:30])
def test_a_purge_that_cannot_be_read_is_a_400(site: Site, body: bytes, named: str) -> None:
    answer = ask(site.url, b"/api/purge", JSON, method=b"POST", body=body)
    assert_refused(site, answer, 400)
    assert named in answer.message.lower()


def test_a_purge_of_60_mb_is_refused(site: Site) -> None:
    answer = ask(site.url, b"/api/purge", JSON, method=b"POST", body=b" " * 60_000_000)
    assert_refused(site, answer, 413)


@pytest.mark.parametrize("path", [b"//[", b"//[evil/x", b"/nope", b"/repos/a/b/c?d=[&e"])
def test_a_question_about_an_odd_path_is_answered(site: Site, path: bytes) -> None:
    answer = ask(site.url, b"/api/entries?path=" + path)
    assert answer.status == 200
    assert {each["state"] for each in orjson.loads(answer.body)["entries"]} == {"absent"}


@pytest.mark.parametrize(
    "query",
    [
        b"",
        b"path=",
        b"path=x",
        b"path=/../x",
        b"path=/%00",
        b"path=/%0a",
        b"path=/x%3Faccess_token=y",
        b"path=/" + b"x" * 5_000,
        b"path=/x&accept=" + b"a" * 2_000,
        b"path=/x&api_version=" + b"a" * 200,
    ],
    ids=lambda each: each[:30].decode(),
)
def test_a_question_about_a_bad_path_is_a_400(site: Site, query: bytes) -> None:
    assert_refused(site, ask(site.url, b"/api/entries?" + query), 400)
