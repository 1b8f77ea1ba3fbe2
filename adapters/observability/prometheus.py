"""Numbers as Prometheus scrapes them: what was noted in this process, and what sources tell at the moment.

It must not wait for anybody: whoever asks a database does so before, and hands over what it said.
"""

import threading

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.registry import Collector

from adapters.observability import catalogue
from adapters.observability.catalogue import Series
from application.ports.metrics import Metrics
from domain.pace import Work
from domain.stage import Stage
from domain.task import TaskStatus

OTHER = "other"
MOST_WORDS = 200
"""Values that a label may have in a process; there are half as many routes. What comes later counts as `other`."""
LONGEST_WORD = 100
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class PrometheusMetrics(Metrics):
    """Counts in a registry of its own."""

    def __init__(self, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each, which nobody asks for
        self._registry = CollectorRegistry()
        self._words: dict[str, set[str]] = {}
        self._adding = threading.Lock()
        ProcessCollector(registry=self._registry)
        self._gauge(catalogue.BUILD).labels(version).set(1)
        self._lag = self._histogram(catalogue.LAG)
        self._requests = self._histogram(catalogue.REQUESTS)
        self._in_progress = self._gauge(catalogue.IN_PROGRESS)
        self._rate_limited = self._counter(catalogue.RATE_LIMITED)
        self._stage = self._histogram(catalogue.STAGE)
        self._audio = self._counter(catalogue.STAGE_AUDIO)
        self._factor = self._histogram(catalogue.FACTOR)
        self._ended = self._counter(catalogue.ENDED)
        self._loads = self._counter(catalogue.LOADS)
        self._load = self._histogram(catalogue.LOAD)
        self._less = self._counter(catalogue.LESS)
        self._replaced = self._counter(catalogue.RESTARTS)
        self._webhooks = self._counter(catalogue.WEBHOOK_ATTEMPTS)
        # A series that begins at one shows no increase: where the words are known, it begins at zero.
        for status in (status for status in TaskStatus if status.final):
            self._ended.labels(status.value)
        for outcome in ("delivered", "failed", "given_up"):
            self._webhooks.labels(self._word("outcome", outcome))

    def show(self, source: Collector) -> None:
        """Show what `source` gives too, which is asked at each scrape."""
        self._registry.register(source)

    def text(self) -> bytes:
        """Give all numbers in Prometheus' text format, version 0.0.4; takes milliseconds."""
        return generate_latest(self._registry)

    def request_began(self) -> None:
        """Count it in."""
        self._in_progress.inc()

    def request_ended(self) -> None:
        """Count it out."""
        self._in_progress.dec()

    def answered(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Note how long it took."""
        known = method if method in _METHODS else OTHER
        template = self._word("route", route) if route else "unmatched"
        self._requests.labels(known, template, str(status)).observe(seconds)

    def turned_away(self, zone: str) -> None:
        """Count it."""
        self._rate_limited.labels(self._word("zone", zone)).inc()

    def loop_late(self, seconds: float) -> None:
        """Note by how much."""
        self._lag.observe(seconds)

    def stage_ran(self, stage: Stage, *, audio_ms: int) -> None:
        """Note its seconds, those of its audio, and how the two compare."""
        work, audio = Work.of(stage), audio_ms / 1000
        labels = (
            stage.name.value,
            self._word("engine", work.engine),
            self._word("model", work.model),
            self._word("device", work.device),
        )
        self._stage.labels(*labels).observe(stage.seconds)
        self._audio.labels(*labels).inc(max(0.0, audio))
        if audio > 0:
            self._factor.labels(*labels).observe(stage.seconds / audio)

    def task_ended(self, status: TaskStatus) -> None:
        """Count it."""
        self._ended.labels(status.value).inc()

    def model_loaded(self, engine: str, model: str, seconds: float) -> None:
        """Count it, and note how long it took."""
        labels = self._word("engine", engine), self._word("model", model)
        self._loads.labels(*labels).inc()
        self._load.labels(*labels).observe(seconds)

    def did_with_less(self, engine: str, step: int) -> None:
        """Count it."""
        self._less.labels(self._word("engine", engine), self._word("step", str(step))).inc()

    def engine_replaced(self, engine: str, cause: str) -> None:
        """Count it."""
        self._replaced.labels(self._word("engine", engine), self._word("cause", cause)).inc()

    def webhook_attempted(self, outcome: str) -> None:
        """Count it."""
        self._webhooks.labels(self._word("outcome", outcome)).inc()

    def _word(self, label: str, value: str) -> str:
        """Return the value, or `other` where there are too many already: a series that was made is never forgotten."""
        if len(value) > LONGEST_WORD or not value.isprintable():
            return OTHER
        known = self._words.setdefault(label, set())
        if value in known:
            return value
        with self._adding:
            if len(known) >= MOST_WORDS:
                return OTHER
            known.add(value)
        return value

    def _counter(self, series: Series) -> Counter:
        return Counter(series.full, series.help, series.labels, registry=self._registry)

    def _gauge(self, series: Series) -> Gauge:
        return Gauge(series.full, series.help, series.labels, registry=self._registry)

    def _histogram(self, series: Series) -> Histogram:
        return Histogram(series.full, series.help, series.labels, buckets=series.buckets, registry=self._registry)
