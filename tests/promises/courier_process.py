"""A process that sends webhooks and does nothing else, until it is killed: `python -m … DATABASE_URL KEY`."""

import asyncio
import random
import sys
from datetime import timedelta

from adapters.cipher import AesGcmCipher
from adapters.egress import Egress
from adapters.observability.null import NullMetrics
from adapters.persistence.sql import SqlUnitOfWork
from adapters.queue.in_process import InProcessQueue
from adapters.webhooks.httpx_sender import HttpxWebhookSender
from application.deliver_webhook import DeliverWebhook
from application.ports.queue import Job
from domain import webhook
from domain.egress import EgressPolicy
from entrypoints.couriers import Couriers
from infrastructure.database import connect
from infrastructure.log_config import configure_logging
from infrastructure.log_settings import Log

LEASE = timedelta(seconds=1)
"""Shorter than the real one, as this test waits for it again and again; an attempt takes a tenth of it here."""


async def main(url: str, key: bytes) -> None:
    configure_logging(Log())  # to stderr: nobody reads stdout beyond its first line
    webhook.LEASE = LEASE
    engine = connect(url)
    sender = HttpxWebhookSender(Egress(EgressPolicy.allowing(["127.0.0.1"])), allow_http=True)
    deliver = DeliverWebhook(
        new_uow=lambda: SqlUnitOfWork(engine), sender=sender, cipher=AesGcmCipher(lambda: key), jitter=random.random,
        metrics=NullMetrics(),
    )  # fmt: skip
    bell = InProcessQueue()
    couriers = Couriers(deliver, lambda: bell.next(Job.DELIVER_WEBHOOK))
    couriers.start()
    print("sending", flush=True)  # noqa: T201 - whoever started it waits for this
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], bytes.fromhex(sys.argv[2])))
