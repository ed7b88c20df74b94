"""Charts that several pages show."""

from __future__ import annotations

from collections.abc import Sequence

from webapp.reports import wording
from webapp.reports.reads import FAMILIES, Reads
from webapp.reports.releases import Releases
from webapp.views.charts import Chart, Series, chart

FAMILY_WORDS = {
    "hit": "hit",
    "stale": "stale, grace",
    "revalidated": "revalidated",
    "miss": "miss",
    "bypass": "bypass",
    "error": "error",
}


def outcomes(reads: Reads, releases: Releases | None = None) -> Chart:
    """Answers a second by what became of them, stacked."""
    layers = [
        Series(FAMILY_WORDS[family], reads.rates(names), f"tone-{family}")
        for family, names in FAMILIES.items()
    ]
    if not reads.number():
        layers = [Series(each.name, [None] * reads.window.steps, each.tone) for each in layers]
    return chart(
        "outcomes",
        "Answers by outcome",
        layers,
        reads.window,
        form=wording.rate,
        kind="stack",
        releases=releases or (),
    )


def latency(
    reads: Reads, earlier: Sequence[float | None] = (), releases: Releases | None = None
) -> Chart:
    """How long answers take, by quantile; `earlier` is p95 of the period before, step by step."""
    before = Series("p95 before", earlier, "tone-2", faint=True)
    known = any(each is not None for each in earlier)
    return chart(
        "latency",
        "Time to answer",
        [
            *(
                Series(f"p{share:g}", reads.quantiles(share / 100), tone)
                for share, tone in ((50, "tone-1"), (95, "tone-2"), (99, "tone-3"))
            ),
            *([before] if known else []),
        ],
        reads.window,
        form=wording.duration,
        releases=releases or (),
    )


def hit_rate(reads: Reads, releases: Releases | None = None) -> Chart:
    """The share of reads that waited for nobody."""
    return chart(
        "hit-rate",
        "Answered from a shelf",
        [Series("hit rate", reads.hit_rates(), "tone-1")],
        reads.window,
        form=wording.share,
        top=1,
        releases=releases or (),
    )
