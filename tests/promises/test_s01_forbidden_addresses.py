"""S-01: however a forbidden address is spelled, it is refused, and nobody knocks at any port of this machine.

Refused four times over: by the judgement alone, at submission, by the fetcher, and by the proxy that yt-dlp has.
"""
# ruff: noqa: RUF001, S104 - strange letters and addresses are what this is about

import asyncio
import base64
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.egress import Egress
from adapters.fetching.filtering_proxy import FilteringProxy
from adapters.fetching.http import HttpFetcher
from domain.egress import EgressPolicy
from domain.errors import UrlNotAllowed
from tests.contracts.media_fetcher import LIMITS, ignore
from tests.web import Canary

LOOPBACK = [
    "127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "127.0.0.53", "2130706433", "0x7f000001", "0x7f.1",
    "0x7F.0.0.1", "0177.0.0.1", "017700000001", "0177.1",
    "127.0.0.0x1", "00000127.0.0.1", "127.0.0.01", "127.000.000.001",
    "4294967297", "127.0.0.1.", "127.0.0.1..", "localhost", "LOCALHOST", "localhost.", "a.localhost", "0",
    "0.0.0.0", "0x0", "000", "[::1]",
    "[::]", "[0:0:0:0:0:0:0:1]", "[0000:0000:0000:0000:0000:0000:0000:0001]", "[::127.0.0.1]",
    "[::7f00:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:7f00:0001::1]",
    "[2001:0:7f00:1::]", "[2001:0:4136:e378:8000:63bf:80ff:fffe]", "[::1%lo]", "[::1%25lo]", "[fe80::5efe:127.0.0.1]",
    "[2606:4700::5efe:7f00:1]", "[::1", "::1", "１２７.０.０.１", "127。0。0。1", "127．0．0．1",
    "①②⑦.⓪.⓪.①", "ｌｏｃａｌｈｏｓｔ",
    "127.0.0.1%00", "127%2e0%2e0%2e1", "%31%32%37.0.0.1", "127.0.0.1%2f", "127.0.0\u00ad.1", "loc\u00adalhost",
]  # fmt: skip
ELSEWHERE = [
    "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.1", "3232235777",
    "0xa9fea9fe",
    "169.254.169.254", "169.254.170.2", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "100.100.100.200", "100.64.0.1",
    "168.63.129.16", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.7", "192.88.99.1",
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "[fe80::1]", "[fec0::1]", "[fc00::1]", "[fd12::1]",
    "[ff02::1]", "[ff0e::1]", "[2001:db8::1]", "[3fff::1]", "[5f00::1]", "[100::1]", "[2001:10::1]", "[2001:20::1]",
    "[2002:a00:1::]", "[64:ff9b::a00:1]",
]  # fmt: skip
SHAPES = [
    "http://public.test@127.0.0.1:{port}/", "http://public.test:80@127.0.0.1:{port}/", "http://127.0.0.1:{port}@/",
    "http://a@public.test@127.0.0.1:{port}/",
    "http://public.test#@127.0.0.1:{port}/ ", "http://127.0.0.1\\@public.test/",
    "http://public.test\\@127.0.0.1:{port}/", "http:\\\\127.0.0.1:{port}\\", "http:/127.0.0.1:{port}/",
    "http:127.0.0.1:{port}", "http:///127.0.0.1:{port}/", "//127.0.0.1:{port}/", "127.0.0.1:{port}/",
    "http://127.0.0.1:{port}:80/", "http://127.0.0.1:0{port}/",
    "http://127.0.0.1 :{port}/", "http://\t127.0.0.1:{port}/",
    "http://127.0.0.1\n:{port}/", "http://127.0.0.1\x00:{port}/",
    "\x01http://127.0.0.1:{port}/", "http://[127.0.0.1]:{port}/",
    "http://[::1]public.test:{port}/", "http://:{port}/", "http://@:{port}/", "HTTP://127.0.0.1:{port}/",
    "http://public.test:22/", "http://public.test:25/", "http://public.test:0/", "http://public.test:65536/",
    "http://public.test:99999999999/", "http://public.test:-1/", "http://public.test:+80/", "http://public.test:８０/",
]  # fmt: skip


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    with Canary() as bird:
        yield bird


def spellings(canary: Canary) -> list[str]:
    """Every spelling, at the ports on which somebody listens."""
    hosts = [f"http://{host}:{port}/a.mp3" for host in LOOPBACK + ELSEWHERE for port in canary.ports]
    shapes = [shape.replace("{port}", str(port)) for shape in SHAPES for port in canary.ports]
    plain = [f"{scheme}://{host}/" for host in LOOPBACK + ELSEWHERE for scheme in ("http", "https")]
    return hosts + shapes + plain


def test_s01_the_canary_hears_a_knock() -> None:
    with Canary(ports=1) as bird:
        for host in ("127.0.0.1", "127.0.0.77", "::1"):
            socket.create_connection((host, bird.ports[0])).close()
        deadline = time.monotonic() + 5
        while len(bird.knocks) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(bird.knocks) == 3


def test_s01_more_than_sixty_spellings() -> None:
    assert len({*LOOPBACK, *ELSEWHERE, *SHAPES}) >= 60


def test_s01_the_judgement_refuses_every_one(canary: Canary) -> None:
    for url in spellings(canary):
        with pytest.raises(UrlNotAllowed):
            EgressPolicy().destination(url)


async def test_s01_the_fetcher_connects_to_none(canary: Canary, tmp_path: Path) -> None:
    for number, url in enumerate(spellings(canary)):
        with pytest.raises(UrlNotAllowed):
            await HttpFetcher(Egress(EgressPolicy())).fetch(url, tmp_path / str(number), LIMITS, ignore)
    assert canary.knocks == []


async def test_s01_nor_where_names_lead_there(canary: Canary, tmp_path: Path) -> None:
    addresses = [host.strip("[]") for host in LOOPBACK + ELSEWHERE]
    for number, address in enumerate(addresses):

        async def lead(_: str, __: int, to: str = address) -> list[str]:
            return [to]

        fetcher = HttpFetcher(Egress(EgressPolicy(), lead))
        with pytest.raises(UrlNotAllowed):
            await fetcher.fetch(f"http://public.test:{canary.ports[0]}/", tmp_path / str(number), LIMITS, ignore)
    assert canary.knocks == []


async def test_s01_the_proxy_connects_to_none(canary: Canary) -> None:
    async with FilteringProxy(Egress(EgressPolicy()), max_bytes=1 << 20) as proxy:
        answers = set()
        for port in canary.ports:
            for host in LOOPBACK + ELSEWHERE:
                answers.add(await ask(proxy, f"CONNECT {host}:{port} HTTP/1.1"))
                answers.add(await ask(proxy, f"GET http://{host}:{port}/ HTTP/1.1"))
    assert canary.knocks == []
    assert answers <= {400, 403}


async def test_s01_the_proxy_serves_nobody_else(canary: Canary) -> None:
    policy = EgressPolicy.allowing(["127.0.0.1"])
    async with FilteringProxy(Egress(policy), max_bytes=1 << 20) as proxy:
        assert await ask(proxy, f"CONNECT 127.0.0.1:{canary.ports[0]} HTTP/1.1", password="guessed") == 407  # noqa: S106 - a wrong one
    assert canary.knocks == []


def test_s01_public_addresses_are_allowed() -> None:
    for host in ("1.1.1.1", "example.org", "xn--bcher-kva.example", "bücher.example", "[2606:4700::1111]", "8.8.8.8"):
        for suffix in ("", ":80", ":8080", ":65535"):
            url = f"http://{host}{suffix}/a%20b.mp3"
            assert EgressPolicy().destination(url).url.endswith("/a%20b.mp3")


async def ask(proxy: FilteringProxy, line: str, password: str | None = None) -> int:
    """Ask the proxy in raw bytes; return the status of its answer."""
    secret = proxy.url.partition("://")[2].partition("@")[0] if password is None else f"fetching:{password}"
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    credentials = base64.b64encode(secret.encode()).decode()
    writer.write(f"{line}\r\nProxy-Authorization: Basic {credentials}\r\n\r\n".encode())
    answer = await reader.readline()
    writer.close()
    return int(answer.split()[1])
