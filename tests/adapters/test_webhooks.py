"""The sender of webhooks and the cipher against their contracts."""

import asyncio
from dataclasses import replace

import httpx
import pytest

from adapters.cipher import AesGcmCipher
from adapters.egress import Egress
from adapters.webhooks import httpx_sender
from adapters.webhooks.httpx_sender import HttpxWebhookSender
from application.ports.webhooks import Cipher, Message, Receipt, WebhookSender
from domain.egress import EgressPolicy
from domain.errors import NotConfigured, UrlNotAllowed
from tests.contracts.proof import failures
from tests.contracts.webhook_sender import CipherContract, WebhookSenderContract
from tests.servers.webhook_receiver import Receiver

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


class Sender(HttpxWebhookSender):
    def __init__(self) -> None:
        super().__init__(Egress(LOOPBACK), allow_http=True)


class SignsOnce(Sender):
    async def send(self, message: Message) -> Receipt:
        return await super().send(replace(message, secrets=message.secrets[:1]))


class SaysNothing(Sender):
    async def send(self, message: Message) -> Receipt:
        return replace(await super().send(message), excerpt="", retry_after=None)


class RaisesTrouble(Sender):
    async def send(self, message: Message) -> Receipt:
        receipt = await super().send(message)
        if receipt.status is None:
            raise ConnectionError(receipt.error)
        return receipt


class Follows(Sender):
    async def send(self, message: Message) -> Receipt:
        receipt = await super().send(message)
        async with httpx.AsyncClient(follow_redirects=True) as client:
            answer = await client.post(message.url, content=message.body)
        return replace(receipt, status=answer.status_code)


class LetsAllPass(Sender):
    async def judge(self, url: str) -> None:
        del url


class LooksByAsking(Sender):
    async def judge(self, url: str) -> None:
        await super().judge(url)
        async with httpx.AsyncClient() as client:
            await client.get(url)


@pytest.mark.parametrize(
    ("broken", "caught_by"),
    [
        (SignsOnce, "test_what_is_sent_arrives_signed_by_each_secret"),
        (SaysNothing, "test_what_the_receiver_says_stands_in_the_receipt"),
        (RaisesTrouble, "test_nobody_there_is_no_error_of_ours"),
        (Follows, "test_no_redirect_is_followed"),
        (LetsAllPass, "test_what_is_forbidden_is_refused_before_and_when_it_is_sent"),
        (LooksByAsking, "test_what_is_allowed_passes"),
    ],
)
async def test_the_contract_of_senders_catches(broken: type[WebhookSender], caught_by: str) -> None:
    assert not await failures(WebhookSenderContract, caught_by, sender=Sender, receiver=Receiver)
    assert await failures(WebhookSenderContract, caught_by, sender=broken, receiver=Receiver)


class Aes(AesGcmCipher):
    def __init__(self) -> None:
        super().__init__(lambda: b"k" * 32)


class Plain(Aes):
    def seal(self, plain: bytes, *, context: str) -> bytes:
        return super().seal(plain, context=context) + plain

    def open(self, sealed: bytes, *, context: str) -> bytes:
        overhead = len(super().seal(b"", context=context))
        return super().open(sealed[: (len(sealed) + overhead) // 2], context=context)


class ForgetsContexts(Aes):
    def seal(self, plain: bytes, *, context: str) -> bytes:
        return super().seal(plain, context=context[:0])

    def open(self, sealed: bytes, *, context: str) -> bytes:
        return super().open(sealed, context=context[:0])


class Repeats(Aes):
    def seal(self, plain: bytes, *, context: str) -> bytes:
        self._sealed = getattr(self, "_sealed", None) or super().seal(plain, context=context)
        return self._sealed


class IgnoresItsKey(AesGcmCipher):
    def __init__(self) -> None:
        super().__init__(lambda: b"0" * 32)


@pytest.mark.parametrize(
    ("broken", "caught_by"),
    [
        (Plain, "test_what_was_sealed_can_be_opened_and_not_read"),
        (Repeats, "test_twice_is_never_the_same"),
        (ForgetsContexts, "test_nothing_that_was_changed_opens"),
        (IgnoresItsKey, "test_another_key_opens_nothing"),
    ],
)
async def test_the_contract_of_ciphers_catches(broken: type[Cipher], caught_by: str) -> None:
    other = IgnoresItsKey
    assert not await failures(CipherContract, caught_by, cipher=Aes, other=other)
    assert await failures(CipherContract, caught_by, cipher=broken, other=other)
