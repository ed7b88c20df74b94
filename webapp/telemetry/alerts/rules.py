"""What is alerted on: the one table. Thresholds can be set by a TOML file (overrides.py).

A rule measures something (alert_figures.py gives one reading a subject: a credential, a queue, a
statement) and has a threshold for a warning, for a critical alert, or for both; each of them is
an alert of its own (alerts.py). The numbers come from reference figures of the trade: burn rates
from the SRE workbook, 60 s of waiting jobs, 20 ms a statement; the rest is judgement.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


class NoData(StrEnum):
    """What silence means: nothing asked, cannot be known, or itself a fault."""

    QUIET = "quiet"  # an alert that fires ends, after its keep_firing_for
    HOLD = "hold"  # an alert stays as it is
    ALERT = "alert"  # as if beyond the threshold


class Severity(StrEnum):
    """How soon someone should look."""

    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A row. Times are seconds; `group` is told in one message.

    `window` is what is measured over, 0 for now; with a `short` window too, both must be beyond
    the threshold. Fewer than `minimum` samples are no data. A firing alert clears at the share
    `clear` of its threshold, and ends once it has been clear for `keep`. While an alert of
    `behind` fires, or waits to, nobody is told of this one.
    """

    name: str
    group: str
    measure: str
    unit: str
    meaning: str
    action: str
    warn: float | None = None
    critical: float | None = None
    below: bool = False  # small is bad
    window: float = 0.0
    short: float = 0.0
    wait: float = 0.0  # `for`
    keep: float = 5 * MINUTE
    clear: float = 0.8
    minimum: int = 1
    no_data: NoData = NoData.QUIET
    behind: tuple[str, ...] = ()

    def threshold(self, severity: Severity) -> float | None:
        """None where the rule has no such alert."""
        return self.warn if severity is Severity.WARNING else self.critical


RULES: tuple[Rule, ...] = (
    Rule(
        name="hit_rate",
        group="requests",
        measure="hit_rate_drop",
        unit="points",
        meaning="The share of reads answered without GitHub is so many points below that of the"
        " last 7 days.",
        action="Look at what is missed: a new consumer of other paths, a burst of purges, an"
        " emptied Redis, evictions, shorter periods.",
        warn=10,
        critical=25,
        window=15 * MINUTE,
        wait=5 * MINUTE,
        minimum=500,
    ),
    Rule(
        name="latency_p95",
        group="requests",
        measure="latency_p95",
        unit="s",
        meaning="One mirror request in twenty takes longer than this.",
        action="See which outcome is slow. Misses: GitHub is slow, or too little is kept warm."
        " Hits: Redis or the machine is overloaded.",
        warn=1.0,
        critical=3.0,
        window=10 * MINUTE,
        wait=5 * MINUTE,
        minimum=200,
    ),
    Rule(
        name="error_budget_fast",
        group="requests",
        measure="error_budget_burn",
        unit="×",
        meaning="Errors use up a month's allowance so many times too fast: at 14.4 a fiftieth of"
        " it is gone within an hour.",
        action="See the errors' causes: GitHub down and nothing held, no budget, waits that ran"
        " out.",
        critical=14.4,
        window=HOUR,
        short=5 * MINUTE,
        minimum=10,
    ),
    Rule(
        name="error_budget_slow",
        group="requests",
        measure="error_budget_burn",
        unit="×",
        meaning="The same, slower: at 6 a twentieth of a month's allowance is gone in six hours.",
        action="As for error_budget_fast.",
        critical=6,
        window=6 * HOUR,
        short=30 * MINUTE,
        minimum=10,
        behind=("error_budget_fast",),
    ),
    Rule(
        name="error_budget_long",
        group="requests",
        measure="error_budget_burn",
        unit="×",
        meaning="For three days there have been more errors than the objective allows.",
        action="Find the error that keeps coming; it needs mending, not tonight.",
        warn=1,
        window=3 * DAY,
        short=6 * HOUR,
        minimum=10,
        behind=("error_budget_fast", "error_budget_slow"),
    ),
    Rule(
        name="github_budget",
        group="github",
        measure="github_left",
        unit="%",
        meaning="So little is left of a credential's hour at GitHub. Warming stops at 25 %,"
        " webhooks' refetches at 10 %.",
        action="See who spends it; add a token or an App, watch less, or lengthen the periods.",
        warn=20,
        critical=5,
        below=True,
        keep=2 * MINUTE,
        no_data=NoData.HOLD,
    ),
    Rule(
        name="github_forecast",
        group="github",
        measure="github_shortfall",
        unit="s",
        meaning="At the present rate a credential's hour is spent so long before its reset.",
        action="As for github_budget; there is still time.",
        warn=60,
        wait=5 * MINUTE,
        no_data=NoData.HOLD,
        behind=("github_budget",),
    ),
    Rule(
        name="github_paused",
        group="github",
        measure="github_paused",
        unit="s",
        meaning="GitHub has refused for asking too much at once (a secondary limit); nothing is"
        " asked with this credential for so long. The pause doubles with each refusal.",
        action="See whether something else spends the same credential; ask for less at once.",
        warn=1,
        critical=300,
        no_data=NoData.HOLD,
    ),
    Rule(
        name="credential_refused",
        group="github",
        measure="credentials_set_aside",
        unit="",
        meaning="GitHub answered 401 to a credential: revoked, expired or mistyped. It is set"
        " aside, and tried again every 10 minutes.",
        action="Replace the token (flask doctor says which), or check the App's installation.",
        critical=1,
    ),
    Rule(
        name="oldest_job",
        group="jobs",
        measure="oldest_job",
        unit="s",
        meaning="A job has been due for so long and no worker has taken it.",
        action="Are workers running? Are they busy with slow jobs? Add workers.",
        warn=60,
        critical=300,
        keep=2 * MINUTE,
        no_data=NoData.HOLD,
        behind=("worker_heartbeat",),
    ),
    Rule(
        name="worker_heartbeat",
        group="jobs",
        measure="worker_heartbeat",
        unit="s",
        meaning="No worker has shown itself for so long: purges are not looked at a second time,"
        " nothing is kept warm.",
        action="Start the worker process, or see its log for why it hangs.",
        critical=60,
        wait=MINUTE,
        keep=2 * MINUTE,
        no_data=NoData.HOLD,
    ),
    Rule(
        name="scheduler_heartbeat",
        group="jobs",
        measure="scheduler_heartbeat",
        unit="s",
        meaning="The scheduler has missed two of its minutes: nothing periodic is enqueued.",
        action="Start the scheduler process; one is enough.",
        critical=130,
        wait=MINUTE,
        keep=2 * MINUTE,
        no_data=NoData.HOLD,
    ),
    Rule(
        name="dead_letters",
        group="jobs",
        measure="dead_letters",
        unit="",
        meaning="Jobs failed three retries and are kept for a week.",
        action="Read their errors on the jobs page; retry or delete them.",
        warn=1,
        keep=0,
        no_data=NoData.HOLD,
        behind=("dead_letters_surge",),
    ),
    Rule(
        name="dead_letters_surge",
        group="jobs",
        measure="jobs_died",
        unit="",
        meaning="So many jobs have failed for good within 10 minutes.",
        action="They share a cause: PostgreSQL, Redis or a release. Mend it, then retry them.",
        critical=20,
        window=10 * MINUTE,
    ),
    Rule(
        name="warming_late",
        group="jobs",
        measure="warming_overdue",
        unit="s",
        meaning="What is watched should have been looked at so long ago and was not.",
        action="See the warming page: paused, out of budget, or jobs that fail?",
        warn=15 * MINUTE,
        critical=HOUR,
        wait=5 * MINUTE,
        no_data=NoData.HOLD,
        behind=("worker_heartbeat", "scheduler_heartbeat"),
    ),
    Rule(
        name="webhook_silence",
        group="webhooks",
        measure="webhook_silence",
        unit="s",
        meaning="An owner who used to send webhooks has sent none for so long.",
        action="Look at the recent deliveries in the webhook's settings at GitHub; until then"
        " changes are seen when answers expire.",
        warn=2 * DAY,
        window=7 * DAY,
        minimum=20,
        keep=0,
        no_data=NoData.HOLD,
    ),
    Rule(
        name="webhook_signatures",
        group="webhooks",
        measure="webhook_bad_signatures",
        unit="",
        meaning="Deliveries came without a signature, or with a wrong one.",
        action="Compare GITHUB_WEBHOOK_SECRET with the webhook's at GitHub; else someone is"
        " trying.",
        warn=5,
        window=5 * MINUTE,
    ),
    Rule(
        name="webhook_lag",
        group="webhooks",
        measure="webhook_lag_p95",
        unit="s",
        meaning="One delivery in twenty comes so long after what it tells of.",
        action="See githubstatus.com; if GitHub is well, the way in is overloaded.",
        critical=60,
        window=10 * MINUTE,
        wait=2 * MINUTE,
        minimum=20,
    ),
    Rule(
        name="statement_time",
        group="stores",
        measure="statement_mean",
        unit="s",
        meaning="A statement takes so long on average.",
        action="See the database page and flask explain: a missing index, a bloated table, a busy"
        " server?",
        warn=0.020,
        window=10 * MINUTE,
        wait=5 * MINUTE,
        minimum=100,
    ),
    Rule(
        name="redis_memory",
        group="stores",
        measure="redis_memory",
        unit="%",
        meaning="So much of Redis' memory is used, or Redis does not answer. When it is full,"
        " answers are evicted before their time, or jobs refused.",
        action="Give it more memory; flask doctor says what its policy does when full.",
        warn=90,
        critical=98,
        wait=5 * MINUTE,
        no_data=NoData.ALERT,
    ),
)


def named(rules: tuple[Rule, ...]) -> dict[str, Rule]:
    """By name."""
    return {rule.name: rule for rule in rules}
