"""What every fetcher promises. Bindings give `fetcher` and `at`, which puts a recording of theirs on a server."""

from collections.abc import Callable
from pathlib import Path

import pytest

from application.ports.media_fetch import MediaFetcher
from domain.errors import FetchFailed, FetchUnavailable, Interrupted, MediaRejected, UrlNotAllowed
from domain.fetching import FetchLimits
from tests.contracts.suite import Suite
from tests.web import CALL, Page, Web

LIMITS = FetchLimits(max_bytes=1 << 22, max_duration=60_000, max_seconds=60.0)
At = Callable[[Page], str]
"""Puts what is fetched on a server that may be asked; returns the URL by which it is found."""


def ignore(_: float) -> None:
    """Take progress without a word."""


class MediaFetcherContract(Suite):
    """Recordings by URL."""

    @pytest.fixture
    def into(self, tmp_path: Path) -> Path:
        return tmp_path / "recording"

    async def test_it_arrives_byte_by_byte(self, fetcher: MediaFetcher, at: At, into: Path) -> None:
        told: list[float] = []
        fetched = await fetcher.fetch(at(Page(CALL.read_bytes())), into, LIMITS, told.append)
        assert into.read_bytes() == CALL.read_bytes()
        assert fetched.size == len(CALL.read_bytes())
        assert told
        assert all(0 <= each <= 1 for each in told)

    async def test_secrets_of_the_url_are_not_told(self, fetcher: MediaFetcher, at: At, into: Path) -> None:
        url = at(Page(CALL.read_bytes())).replace("http://", "http://ann:hush@") + "?sig=hush"
        fetched = await fetcher.fetch(url, into, LIMITS, ignore)
        assert "hush" not in repr(fetched)

    async def test_what_is_too_large_is_refused(self, fetcher: MediaFetcher, at: At, into: Path) -> None:
        limits = FetchLimits(max_bytes=1 << 16, max_duration=60_000, max_seconds=60.0)
        with pytest.raises(MediaRejected) as caught:
            await fetcher.fetch(at(Page(CALL.read_bytes())), into, limits, ignore)
        assert caught.value.reason == "too_large"

    async def test_forbidden_addresses_are_not_asked(self, fetcher: MediaFetcher, into: Path) -> None:
        with Web({"/call.flac": Page(CALL.read_bytes())}, host="127.0.0.1") as private:
            with pytest.raises(UrlNotAllowed):
                await fetcher.fetch(f"{private.address}/call.flac", into, LIMITS, ignore)
            assert private.asked == []

    async def test_what_is_not_there_is_told_from_what_is_not_there_now(
        self, fetcher: MediaFetcher, at: At, into: Path, web: Web
    ) -> None:
        url = at(Page(CALL.read_bytes()))
        web.pages = {path: Page(status=404) for path in web.pages}
        with pytest.raises(FetchFailed) as caught:
            await fetcher.fetch(url, into, LIMITS, ignore)
        assert not isinstance(caught.value, FetchUnavailable)

    async def test_a_server_in_trouble_may_be_asked_again(
        self, fetcher: MediaFetcher, at: At, into: Path, web: Web
    ) -> None:
        url = at(Page(CALL.read_bytes()))
        web.pages = {path: Page(status=503) for path in web.pages}
        with pytest.raises(FetchUnavailable):
            await fetcher.fetch(url, into, LIMITS, ignore)

    async def test_who_stops_it_has_it_stopped(self, fetcher: MediaFetcher, at: At, into: Path) -> None:
        def stop(_: float) -> None:
            raise Interrupted("enough")

        with pytest.raises(Interrupted):
            await fetcher.fetch(at(Page(CALL.read_bytes())), into, LIMITS, stop)
