"""The sender of webhooks and the cipher against their contracts."""

import asyncio

import pytest

from adapters.cipher import AesGcmCipher
from adapters.egress import Egress
from adapters.webhooks import httpx_sender
from adapters.webhooks.httpx_sender import HttpxWebhookSender
from domain.egress import EgressPolicy
from domain.errors import NotConfigured, UrlNotAllowed
from tests.contracts.webhook_sender import CipherContract, WebhookSenderContract

LOOPBACK = EgressPolicy.allowing(["127.0.0.1"])


class TestHttpxWebhookSender(WebhookSenderContract, adapter=HttpxWebhookSender):
    @pytest.fixture
    def sender(self) -> HttpxWebhookSender:
        return HttpxWebhookSender(Egress(LOOPBACK), allow_http=True)


class TestAesGcmCipher(CipherContract, adapter=AesGcmCipher):
    @pytest.fixture
    def cipher(self) -> AesGcmCipher:
        return AesGcmCipher(lambda: b"k" * 32)

    @pytest.fixture
    def other(self) -> AesGcmCipher:
        return AesGcmCipher(lambda: b"l" * 32)


async def test_plain_http_is_refused_unless_it_is_allowed() -> None:
    with pytest.raises(UrlNotAllowed, match="https"):
        await HttpxWebhookSender(Egress(LOOPBACK)).judge("http://127.0.0.1/")


async def test_a_name_that_is_not_known_yet_may_be_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(_host: str, _port: int) -> list[str]:
        raise OSError("no such name")

    async def silent(_host: str, _port: int) -> list[str]:
        await asyncio.sleep(30)
        return []

    monkeypatch.setattr(httpx_sender, "_RESOLVE_SECONDS", 0.05)
    for resolve in (unknown, silent):
        await HttpxWebhookSender(Egress(LOOPBACK, resolve)).judge("https://hooks.example.org/")


def test_the_key_is_asked_for_when_it_is_needed() -> None:
    def missing() -> bytes:
        raise NotConfigured("there is none")

    cipher = AesGcmCipher(missing)
    with pytest.raises(NotConfigured):
        cipher.seal(b"secret", context="a")
