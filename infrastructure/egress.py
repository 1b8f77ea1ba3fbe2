"""The one door for requests that callers ask for: recordings by URL, and webhooks."""

from adapters.egress import Egress
from adapters.fetching.chosen import HttpOrYtDlpFetcher
from adapters.fetching.http import HttpFetcher
from adapters.fetching.ytdlp import YtDlpFetcher
from domain.egress import EgressPolicy
from domain.fetching import FetchLimits
from infrastructure.settings import Settings

_LAST_PORT = 65_535


def make_egress(settings: Settings) -> Egress:
    """Return it, with what EGRESS_ALLOW allows beyond public addresses."""
    return Egress(egress_policy(settings))


def egress_policy(settings: Settings) -> EgressPolicy:
    """Return what EGRESS_ALLOW and EGRESS_PORTS say.

    Raises:
        ValueError: one of them cannot be understood.
    """
    return EgressPolicy.allowing(settings.egress.allow.split(","), ports=map(_range, settings.egress.ports.split(",")))


def make_fetcher(egress: Egress) -> HttpOrYtDlpFetcher:
    """Return what fetches recordings."""
    return HttpOrYtDlpFetcher(HttpFetcher(egress), YtDlpFetcher(egress))


def fetch_limits(settings: Settings) -> FetchLimits:
    """What one recording by URL may cost."""
    return FetchLimits(
        max_bytes=settings.max.file_size, max_duration=settings.max.duration * 1000, max_seconds=settings.fetch.seconds
    )


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    ports = range(int(first), int(last or first) + 1)
    if not ports or ports[-1] > _LAST_PORT:
        raise ValueError(f"{text} is no range of ports")
    return ports
