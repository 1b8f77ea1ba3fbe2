"""What every sender of webhooks promises, and every cipher."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from application.ports.webhooks import Cipher, Message, WebhookSender
from domain.errors import NotConfigured, UrlNotAllowed
from tests.contracts.suite import Suite
from tests.servers.webhook_receiver import Receiver, Reply

SECRETS = (b"n" * 32, b"o" * 24)


class WebhookSenderContract(Suite):
    """Senders that may reach loopback over plain HTTP, and nothing else that is private."""

    @pytest.fixture
    def receiver(self) -> Iterator[Receiver]:
        with Receiver() as started:
            yield started

    @staticmethod
    def message(url: str) -> Message:
        at = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - the judge's clock
        return Message(url=url, id="msg_1", at=at, body='{"a":"ü"}'.encode(), secrets=SECRETS)

    async def test_what_is_sent_arrives_signed_by_each_secret(self, sender: WebhookSender, receiver: Receiver) -> None:
        receiver.reply = lambda _: Reply(200, body=b"thanks")
        message = self.message(receiver.url("/a?b=c"))
        receipt = await sender.send(message)
        assert (receipt.status, receipt.error, receipt.excerpt) == (200, "", "thanks")
        (received,) = receiver.received
        assert (received.path, received.body) == ("/a?b=c", message.body)
        assert received.headers["webhook-id"] == "msg_1"
        assert received.headers["content-type"] == "application/json"
        for secret in SECRETS:
            Webhook(secret).verify(received.body, received.headers)

    async def test_what_the_receiver_says_stands_in_the_receipt(
        self, sender: WebhookSender, receiver: Receiver
    ) -> None:
        receiver.reply = lambda _: Reply(503, {"retry-after": "120"}, b"\xff\x00busy")
        receipt = await sender.send(self.message(receiver.url()))
        assert (receipt.status, receipt.retry_after) == (503, timedelta(minutes=2))
        assert receipt.excerpt == "\ufffd\x00busy"

    async def test_no_redirect_is_followed(self, sender: WebhookSender, receiver: Receiver) -> None:
        receiver.reply = lambda _: Reply(307, {"location": receiver.url("/else")})
        assert (await sender.send(self.message(receiver.url()))).status == 307
        assert len(receiver.received) == 1

    async def test_nobody_there_is_no_error_of_ours(self, sender: WebhookSender) -> None:
        with Receiver() as stopped:
            address = stopped.url()
        receipt = await sender.send(self.message(address))
        assert receipt.status is None
        assert receipt.error

    async def test_what_is_forbidden_is_refused_before_and_when_it_is_sent(self, sender: WebhookSender) -> None:
        for url in ("https://10.0.0.1/", "ftp://127.0.0.1/", "nonsense", ""):
            with pytest.raises(UrlNotAllowed):
                await sender.judge(url)
            receipt = await sender.send(replace(self.message("x"), url=url))
            assert receipt.status is None
            assert receipt.error.startswith("not sent")

    async def test_what_is_allowed_passes(self, sender: WebhookSender, receiver: Receiver) -> None:
        await sender.judge(receiver.url())
        assert receiver.connections == 0


class CipherContract(Suite):
    """Ciphers."""

    def test_what_was_sealed_can_be_opened_and_not_read(self, cipher: Cipher) -> None:
        for plain in (b"", b"secret", bytes(range(256)) * 64):
            sealed = cipher.seal(plain, context="a")
            assert cipher.open(sealed, context="a") == plain
            assert plain == b"" or plain not in sealed

    def test_twice_is_never_the_same(self, cipher: Cipher) -> None:
        assert len({cipher.seal(b"secret", context="a") for _ in range(100)}) == 100

    def test_nothing_that_was_changed_opens(self, cipher: Cipher) -> None:
        sealed = cipher.seal(b"secret", context="a")
        spoilt = [sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :] for at in range(len(sealed))]
        for each in (*spoilt, sealed[:-1], sealed + b"x", b""):
            with pytest.raises(NotConfigured):
                cipher.open(each, context="a")
        with pytest.raises(NotConfigured):
            cipher.open(sealed, context="b")

    def test_another_key_opens_nothing(self, cipher: Cipher, other: Cipher) -> None:
        with pytest.raises(NotConfigured):
            other.open(cipher.seal(b"secret", context="a"), context="a")
