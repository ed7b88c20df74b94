"""The stand-in whole: one request from its Authorization header to its reply.

faults that replace the answer
  -> User-Agent -> credentials -> API version -> secondary limits -> primary limit
  -> route -> endpoint (rendered bodies are kept while the world stands still)
  -> conditional (304) -> charge -> headers -> faults that spoil the answer -> latency
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.standin.accounts import Account
from tests.standin.apps import Apps
from tests.standin.call import Answer, Call
from tests.standin.changes import Changes
from tests.standin.clock import Clock, http_date
from tests.standin.credentials import BadCredentials, Caller, Credentials
from tests.standin.etags import entity_tag, is_not_modified
from tests.standin.faults import Fault, Faults
from tests.standin.faults_applied import replacement, spoil
from tests.standin.feeds import Feeds
from tests.standin.limits import WRITE_POINTS, Limits
from tests.standin.message import Reply, Request
from tests.standin.rendering import Rendered, render, wants_gzip, wants_pretty
from tests.standin.reply_headers import (
    VARY,
    VERSIONS,
    about,
    cache_control,
    constant,
    scopes,
)
from tests.standin.request_log import Entry, RequestLog
from tests.standin.routes import BELOW_REPO, ROUTES, Endpoint, Route, Router, docs_url
from tests.standin.shapes.errors import DOCS, Refusal, not_found
from tests.standin.shapes.site import Site
from tests.standin.switches import Switches
from tests.standin.webhooks import Webhooks
from tests.standin.world import Size, World

SAFE = ("GET", "HEAD")
MOST_RENDERED = 4_000
NO_USER_AGENT = (
    "Request forbidden by administrative rules. Please make sure your request has a User-Agent "
    "header."
)


@dataclass(slots=True)
class Outcome:
    """What has been decided about a request, before headers."""

    rendered: Rendered
    caller: Caller
    resource: str
    points: int
    exhausted: bool = False
    not_modified: bool = False
    etag: str | None = None


class GitHub:
    """All state of one stand-in, and the handler that the wire calls."""

    def __init__(self, size: Size, site: Site, prefix: str = "") -> None:
        self.clock = Clock()
        self.site = site
        self.prefix = prefix
        self.world = World(size, self.clock)
        self.apps = Apps(self.clock, self.world)
        self.credentials = Credentials(self.clock, self.apps.app_of)
        self.limits = Limits(self.clock)
        self.faults = Faults(size.seed)
        self.switches = Switches()
        self.log = RequestLog()
        self.changes = Changes(self)
        self.feeds = Feeds(self)
        self.webhooks = Webhooks(self)
        self.world.listeners += [
            self.credentials.happened,
            self.feeds.happened,
            self.webhooks.happened,
        ]
        self.starred: set[tuple[str, int]] = set()
        self.router = Router(ROUTES, BELOW_REPO)
        self._rendered: dict[tuple[Any, ...], Rendered] = {}
        self._rendered_version = -1

    def reset(self) -> None:
        """Back to the seed: data, accounts, limits, faults, switches, clock, log."""
        self.clock.offset = 0.0
        self.world.replica.seconds = 0.0
        self.world.reset()
        self.credentials.reset()
        self.apps.reset()
        self.feeds.reset()
        self.webhooks.reset()
        self.starred.clear()
        self.limits.reset()
        self.faults.clear()
        self.switches = Switches()
        self.log.clear()

    # One request

    def handle(self, request: Request) -> Reply:
        """Answer, charge and log one request."""
        caller, bad = self._identify(request)
        name = bad.shown_as if bad else caller.name
        if self.prefix:
            if request.path == self.site.graphql_path:
                request.target = "/graphql"
            request.target = request.target.removeprefix(self.prefix) or "/"
        entry = Entry(
            seq=self.log.next_seq(),
            at=self.clock.now(),
            method=request.method,
            target=request.target,
            token=name,
            account=caller.account.name,
            headers=request.headers,
            conditional=bool({"if-none-match", "if-modified-since"} & request.headers.keys()),
        )
        faults = self.faults.striking(request.method, request.path, name)
        account = caller.account
        self.limits.in_flight[account.name] += 1
        outcome = self._decide(request, caller, bad, faults)
        entry.status = 304 if outcome.not_modified else outcome.rendered.status
        entry.resource, entry.points = outcome.resource, outcome.points
        entry.faults = tuple(fault.kind for fault in faults)
        if outcome.points:
            self.limits.charge(outcome.caller.account, outcome.resource, outcome.points)
        self.log.add(entry)
        reply = self._reply(request, outcome, entry)
        reply.on_done = lambda: self._landed(account)
        reply.delay = self.switches.latency_for(request.path) / 1000
        for fault in faults:
            spoil(fault, reply)
        return reply

    def _landed(self, account: Account) -> None:
        self.limits.in_flight[account.name] -= 1

    def _identify(self, request: Request) -> tuple[Caller, BadCredentials | None]:
        try:
            return self.credentials.caller(request.headers.get("authorization")), None
        except BadCredentials as error:
            return self.credentials.anonymous, error

    def _decide(
        self, request: Request, caller: Caller, bad: BadCredentials | None, faults: list[Fault]
    ) -> Outcome:
        match = self.router.match(request.method, request.segments)
        route = match.route if match else None
        resource = route.resource if route else "core"
        try:
            for fault in faults:
                found = replacement(fault, self.limits, caller, request.peer)
                if found is not None:
                    limited = fault.kind == "graphql_limit"
                    return Outcome(found, caller, resource, 0, exhausted=limited)
            self._admit(request, caller, bad, route, resource)
        except Refusal as refusal:
            exhausted = "rate limit exceeded" in str(refusal.body["message"])
            points = 1 if refusal.status == 401 else 0
            rendered = self._refused(refusal)
            return Outcome(rendered, caller, resource, points, exhausted=exhausted)
        params = match.params if match else {}
        rendered = self._rendered_for(request, caller, route, params)
        return self._conditional(request, Outcome(rendered, caller, resource, rendered.points))

    def _admit(
        self,
        request: Request,
        caller: Caller,
        bad: BadCredentials | None,
        route: Route | None,
        resource: str,
    ) -> None:
        """Raise the refusal where the request goes no further than the door."""
        if "user-agent" not in request.headers:
            raise Refusal(403, NO_USER_AGENT)
        if bad is not None:
            raise Refusal(401, "Bad credentials")
        installation = self.apps.installations.get(caller.account.installation or 0)
        if installation is not None and installation.suspended_at is not None:
            raise Refusal(403, "This installation has been suspended")
        if route is not None and route.path == "/rate_limit":
            return
        cheap = request.method in (*SAFE, "OPTIONS") or resource == "graphql"
        points = 1 if cheap else WRITE_POINTS
        creates = route is not None and route.creates
        refusal = self.limits.secondary(caller.account, resource, points, creates=creates)
        if refusal is not None:
            raise refusal
        # GraphQL says so in its own words: HTTP 200 with an error in the body.
        if resource != "graphql" and self.limits.exhausted(caller.account, resource):
            raise self.limits.primary_refusal(caller.account, request.peer)

    def _rendered_for(
        self, request: Request, caller: Caller, route: Route | None, params: dict[str, str]
    ) -> Rendered:
        """The endpoint's answer as bytes; the same as last time while nothing has changed."""
        headers = request.headers
        world = self.world
        reading = request.method in SAFE and not world.replica.behind
        key = (
            request.target,
            caller.account.name,
            caller.kind,
            headers.get("accept"),
            headers.get("x-github-api-version"),
        )
        if self._rendered_version != world.version or len(self._rendered) > MOST_RENDERED:
            self._rendered.clear()
            self._rendered_version = world.version
        if reading:
            kept = self._rendered.get(key)
            if kept is not None:
                return kept
        rendered = self._run(request, caller, route, params)
        if reading and not rendered.volatile:
            self._rendered[key] = rendered
        return rendered

    def _run(
        self, request: Request, caller: Caller, route: Route | None, params: dict[str, str]
    ) -> Rendered:
        try:
            endpoint = self._endpoint(request, route)
            return render(endpoint(Call(self, request, caller, params, docs_url(route))))
        except Refusal as refusal:
            return self._refused(refusal)

    def _endpoint(self, request: Request, route: Route | None) -> Endpoint:
        version = request.headers.get("x-github-api-version")
        if version is not None and version not in VERSIONS:
            known = ", ".join(VERSIONS)
            message = f"'{version}' is not a supported version. Supported versions: {known}."
            raise Refusal(400, message, f"{DOCS}/about-the-rest-api/api-versions")
        if route is None:
            raise not_found()
        return route.endpoint

    def _refused(self, refusal: Refusal) -> Rendered:
        answer = Answer(refusal.body, refusal.status, headers=dict(refusal.headers))
        return render(answer)

    def _conditional(self, request: Request, outcome: Outcome) -> Outcome:
        rendered, headers = outcome.rendered, request.headers
        if request.method not in SAFE or rendered.status != 200:
            return outcome
        if rendered.has_etag:
            weak = wants_gzip(headers, rendered)
            outcome.etag = entity_tag(self.switches.formula, headers, rendered.body, weak=weak)
        if is_not_modified(headers, outcome.etag, rendered.modified):
            outcome.not_modified = True
            # Free only "while correctly authorized with an Authorization header".
            if "authorization" in headers:
                outcome.points = 0
        return outcome

    # Headers

    def _reply(self, request: Request, outcome: Outcome, entry: Entry) -> Reply:
        rendered, caller = outcome.rendered, outcome.caller
        body, encoded = rendered.body, False
        if outcome.not_modified:
            body = b""
        elif wants_gzip(request.headers, rendered):
            pretty = wants_pretty(request.headers, rendered)
            body, encoded = rendered.gzipped(pretty=pretty), True
        elif wants_pretty(request.headers, rendered):
            body = rendered.pretty()
        headers = [("Server", "github.com"), ("Date", http_date(entry.at))]
        if body:
            headers.append(("Content-Type", rendered.content_type))
        if encoded:
            headers.append(("Content-Encoding", "gzip"))
        if request.method in SAFE and rendered.status == 200:
            headers.append(("Cache-Control", cache_control(request.headers)))
        headers.append(("Vary", VARY))
        if outcome.etag is not None and (self.switches.etag_on_304 or not outcome.not_modified):
            headers.append(("ETag", outcome.etag))
        if rendered.modified is not None:
            headers.append(("Last-Modified", http_date(rendered.modified)))
        for name, value in rendered.headers.items():
            if name != "Link" or not outcome.not_modified:
                headers.append((name, value))
        headers += scopes(caller.token) + about(request.headers, entry.seq)
        if self.switches.rate_headers:
            headers += self._rate_headers(outcome)
        headers += constant(self.switches)
        return Reply(304 if outcome.not_modified else rendered.status, headers, body)

    def _rate_headers(self, outcome: Outcome) -> list[tuple[str, str]]:
        found = self.limits.headers(outcome.caller.account, outcome.resource)
        if outcome.exhausted:
            limit = found[0][1]
            found[1], found[3] = ("X-RateLimit-Remaining", "0"), ("X-RateLimit-Used", limit)
        return found
