"""What was last told of the whole installation, shown for as long as it is true.

It must not ask anybody: whoever has asked tells it here.
"""

import time
from collections.abc import Iterator, Mapping

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from adapters.observability import catalogue
from adapters.observability.catalogue import Series
from domain.census import USUAL_CAUSES, Census

Volumes = Mapping[str, tuple[int, int]]
"""By its name, the bytes that are free on a volume, and those that it has."""
_OK = "ok"
FRESH_SECONDS = 8.0
"""Longer than an answer is kept and asking may take; shorter than the time between two scrapes."""


class Whole(Collector):
    """Keeps each of three answers for `seconds`: a figure that nobody has asked after since is left out, not repeated.

    None takes an answer back at once.
    """

    def __init__(self, seconds: float = FRESH_SECONDS) -> None:
        self._seconds = seconds
        self._told_at: dict[str, float] = {}
        self._census: Census | None = None
        self._parts: Mapping[str, str] | None = None
        self._volumes: Volumes | None = None

    def tell_census(self, census: Census | None) -> None:
        """Take what the database tells."""
        self._census, self._told_at["census"] = census, time.monotonic()

    def tell_parts(self, parts: Mapping[str, str] | None) -> None:
        """Take `ok`, or what is wrong, of each part."""
        self._parts, self._told_at["parts"] = parts, time.monotonic()

    def tell_volumes(self, volumes: Volumes | None) -> None:
        """Take how full the volumes are."""
        self._volumes, self._told_at["volumes"] = volumes, time.monotonic()

    def collect(self) -> Iterator[Metric]:
        """Give what is fresh."""
        since = time.monotonic() - self._seconds
        fresh = {name for name, at in self._told_at.items() if at >= since}
        if self._census is not None and "census" in fresh:
            yield from _figures(self._census)
        if self._parts is not None and "parts" in fresh:
            yield labelled(catalogue.PART, {part: state == _OK for part, state in self._parts.items()})
        if self._volumes is not None and "volumes" in fresh:
            yield labelled(catalogue.FREE, {name: free for name, (free, _) in self._volumes.items()})
            yield labelled(catalogue.SIZE, {name: size for name, (_, size) in self._volumes.items()})


def single(series: Series, value: float) -> Metric:
    """Give one figure without a label."""
    return labelled(series, {"": value})


def labelled(series: Series, values: Mapping[str, float]) -> Metric:
    """Give a figure for each value of the series' label."""
    kind = CounterMetricFamily if series.kind == "counter" else GaugeMetricFamily
    family: GaugeMetricFamily | CounterMetricFamily = kind(series.full, series.help, labels=series.labels)
    for label, value in values.items():
        family.add_metric([label] if series.labels else [], float(value))
    return family


def _figures(census: Census) -> Iterator[Metric]:
    yield labelled(catalogue.TASKS, {status.value: many for status, many in census.tasks.items()})
    yield single(catalogue.DEPTH, census.waiting)
    yield single(catalogue.OLDEST, census.oldest_s)
    yield single(catalogue.RUNNING, census.running)
    # One that begins at 0 has a rate from the first on.
    yield labelled(catalogue.ATTEMPTS, dict.fromkeys(USUAL_CAUSES, 0) | dict(census.attempts))
    yield single(catalogue.EXPIRIES, census.expiries)
    yield single(catalogue.WEBHOOKS_PENDING, census.undelivered)
    yield single(catalogue.WEBHOOK_LAG, census.overdue_s)
    yield labelled(catalogue.STORED, {kind.value: size for kind, size in census.stored.items()})
