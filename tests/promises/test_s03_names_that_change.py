"""S-03: a name is asked for once, all that it answers is judged, and nothing else is connected to."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.egress import Egress
from adapters.fetching.filtering_proxy import FilteringProxy
from adapters.fetching.http import HttpFetcher
from domain.egress import EgressPolicy
from domain.errors import UrlNotAllowed
from tests.contracts.media_fetcher import LIMITS, ignore
from tests.promises.test_s01_forbidden_addresses import ask
from tests.web import Web, recording

PUBLIC = EgressPolicy.allowing(["127.0.0.2/32", "127.0.0.3/32"])


class Rebinding:
    """A name server whose answer is another one each time; the last one stays."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: Counter[str] = Counter()

    async def __call__(self, host: str, port: int) -> list[str]:
        del port
        self.asked[host] += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def web() -> Iterator[Web]:
    with Web({"/a.flac": recording()}) as server:
        yield server


@pytest.fixture
def private(web: Web) -> Iterator[Web]:
    """Listens at the same port of the forbidden address."""
    with Web({"/a.flac": recording()}, host="127.0.0.1", port=web.port) as server:
        yield server


async def test_s03_the_second_answer_is_never_used(web: Web, private: Web, tmp_path: Path) -> None:
    names = Rebinding(["127.0.0.2"], ["127.0.0.1"])
    await HttpFetcher(Egress(PUBLIC, names)).fetch(f"http://a.test:{web.port}/a.flac", tmp_path / "a", LIMITS, ignore)
    assert names.asked == {"a.test": 1}
    assert (web.asked, private.asked) == (["/a.flac"], [])
    assert web.headers[0]["host"] == f"a.test:{web.port}"


@pytest.mark.parametrize("answers", [["127.0.0.2", "127.0.0.1"], ["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "::1"]])
async def test_s03_one_forbidden_answer_is_enough(web: Web, private: Web, tmp_path: Path, answers: list[str]) -> None:
    fetcher = HttpFetcher(Egress(PUBLIC, Rebinding(answers)))
    with pytest.raises(UrlNotAllowed):
        await fetcher.fetch(f"http://a.test:{web.port}/a.flac", tmp_path / "a", LIMITS, ignore)
    assert (web.asked, private.asked) == ([], [])


async def test_s03_each_hop_is_judged_afresh(web: Web, private: Web, tmp_path: Path) -> None:
    names = Rebinding(["127.0.0.2"], ["127.0.0.1"])
    web.pages["/away"] = web.pages["/a.flac"].to("/a.flac")
    with pytest.raises(UrlNotAllowed):
        await HttpFetcher(Egress(PUBLIC, names)).fetch(f"http://a.test:{web.port}/away", tmp_path / "a", LIMITS, ignore)
    assert (web.asked, private.asked) == (["/away"], [])


async def test_s03_an_address_that_does_not_answer_gives_way_to_the_next_judged_one(web: Web, tmp_path: Path) -> None:
    names = Rebinding(["127.0.0.3", "127.0.0.2"])
    await HttpFetcher(Egress(PUBLIC, names)).fetch(f"http://a.test:{web.port}/a.flac", tmp_path / "a", LIMITS, ignore)
    assert names.asked == {"a.test": 1}


async def test_s03_the_proxy_asks_once_as_well(web: Web, private: Web) -> None:
    names = Rebinding(["127.0.0.2"], ["127.0.0.1"])
    async with FilteringProxy(Egress(PUBLIC, names), max_bytes=1 << 24) as proxy:
        assert await ask(proxy, f"GET http://a.test:{web.port}/a.flac HTTP/1.1") == 200
        assert await ask(proxy, f"GET http://a.test:{web.port}/a.flac HTTP/1.1") == 403
        assert await ask(proxy, f"CONNECT a.test:{web.port} HTTP/1.1") == 403
    assert (web.asked, private.asked) == (["/a.flac"], [])
