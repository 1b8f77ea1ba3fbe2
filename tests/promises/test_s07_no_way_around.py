"""S-07: when the filter is down nothing is fetched, and nobody is asked directly."""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from adapters.egress import Egress
from adapters.fetching import ytdlp
from adapters.fetching.filtering_proxy import FilteringProxy
from adapters.fetching.ytdlp import YtDlpFetcher
from domain.egress import EgressPolicy
from domain.errors import FetchUnavailable
from tests.contracts.media_fetcher import LIMITS, ignore
from tests.web import Page, Web, recording

PUBLIC = EgressPolicy.allowing(["127.0.0.2/32"])


class Down(FilteringProxy):
    """Has stopped before it is first asked."""

    async def __aenter__(self) -> Self:
        proxy = await super().__aenter__()
        await self.stop()
        return proxy


class Dying(FilteringProxy):
    """Stops once the page has passed."""

    @property
    def exhausted(self) -> bool:
        if self.received and self._server is not None:
            self._server.close()
        return False


@pytest.fixture
def web() -> Iterator[Web]:
    pages = {"/call.flac": recording(), "/talk": Page.html('<title>A talk</title><audio src="/call.flac"></audio>')}
    with Web(pages) as server:
        yield server


@pytest.mark.timeout(90)
@pytest.mark.parametrize(("proxy", "asked"), [(Down, []), (Dying, ["/talk"])])
async def test_s07_fetching_fails_closed(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: type[FilteringProxy], asked: list[str]
) -> None:
    monkeypatch.setattr(ytdlp, "FilteringProxy", proxy)
    with pytest.raises(FetchUnavailable):
        await YtDlpFetcher(Egress(PUBLIC)).fetch(f"{web.address}/talk", tmp_path / "recording", LIMITS, ignore)
    assert web.asked == asked
    assert not (tmp_path / "recording").exists()
