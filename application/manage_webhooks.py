"""Keeping an owner's webhook endpoints: registering, changing, removing, and new secrets; nothing is sent here."""

import base64
import binascii
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime

from application.audit import note_refusal, record
from application.ports.persistence import NewUnitOfWork, UnitOfWork
from application.ports.system import Clock, IdFactory
from application.ports.webhooks import Cipher, StaleWebhook, WebhookSender
from domain.audit import Action, Thing
from domain.egress import masked
from domain.errors import InvalidOptions, WebhookNotFound, WrongState
from domain.task import OwnerId, TaskId
from domain.webhook import EndpointId, EventType, SealedSecret, WebhookEndpoint

MAX_ENDPOINTS = 32
"""Each is asked about at every event of its owner's tasks."""
_PREFIX = "whsec_"
_SECRET_BYTES = 32
_ALLOWED_BYTES = range(24, 65)


def secret_text(secret: bytes) -> str:
    """Write a secret as receivers' libraries take it."""
    return _PREFIX + base64.b64encode(secret).decode()


def read_secret(text: str) -> bytes:
    """Read a secret that a caller made up.

    Raises:
        InvalidOptions: it is none.
    """
    try:
        secret = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not text.startswith(_PREFIX) or len(secret) not in _ALLOWED_BYTES:
        raise InvalidOptions("webhook_secret: must be whsec_ and 24 to 64 random bytes in base64")
    return secret


class ManageWebhooks:
    """Keeps endpoints. A secret is shown when it is made, and never again; somebody else's endpoint is none."""

    def __init__(
        self, *, new_uow: NewUnitOfWork, sender: WebhookSender, cipher: Cipher, ids: IdFactory, clock: Clock
    ) -> None:
        self._new_uow = new_uow
        self._sender = sender
        self._cipher = cipher
        self._ids = ids
        self._clock = clock

    async def add(
        self, owner: OwnerId, url: str, *, events: Sequence[EventType] = (), description: str = ""
    ) -> tuple[WebhookEndpoint, str]:
        """Register an endpoint; return it with its secret.

        Raises:
            UrlNotAllowed: nothing may be sent there.
            WrongState: `too_many_webhooks`.
            NotConfigured: the installation has no secret to encrypt with.
        """
        secret = secrets.token_bytes(_SECRET_BYTES)
        endpoint = await self._new(owner, url, secret)
        endpoint.events, endpoint.description = tuple(dict.fromkeys(events)), description
        async with self._new_uow() as uow:
            if len(await uow.webhooks.of(owner)) >= MAX_ENDPOINTS:
                raise WrongState(f"there may be {MAX_ENDPOINTS} webhooks at most", code="too_many_webhooks")
            await uow.webhooks.add(endpoint)
            await record(uow, Action.CREATED, Thing.WEBHOOK, endpoint.id, owner=owner)
            await uow.commit()
        return endpoint, secret_text(secret)

    async def asked_for(self, owner: OwnerId, url: str, secret: str) -> WebhookEndpoint | None:
        """Return the endpoint of tasks that are about to be handed in, None if no `url` was given.

        Raises:
            InvalidOptions: the secret, which the caller has made up, is none.
            UrlNotAllowed, NotConfigured: as `add`.
        """
        return await self._new(owner, url, read_secret(secret)) if url else None

    async def all(self, owner: OwnerId, *, task: TaskId | None = None) -> Sequence[WebhookEndpoint]:
        """Return the owner's endpoints, oldest first; of a task, those for it alone."""
        async with self._new_uow() as uow:
            return await uow.webhooks.of(owner, task=task)

    async def one(self, owner: OwnerId, endpoint_id: EndpointId) -> WebhookEndpoint:
        """Return the endpoint.

        Raises:
            WebhookNotFound: there is no such endpoint.
        """
        async with self._new_uow() as uow:
            return await owned_endpoint(uow, owner, endpoint_id)

    async def change(
        self,
        owner: OwnerId,
        endpoint_id: EndpointId,
        *,
        url: str | None = None,
        events: Sequence[EventType] | None = None,
        description: str | None = None,
        enabled: bool | None = None,
    ) -> WebhookEndpoint:
        """Change what is given; enabling it sends what has waited.

        Raises:
            WebhookNotFound, UrlNotAllowed, NotConfigured: as `one` and `add`.
        """
        if url is not None:
            await self._sender.judge(url)

        def apply(endpoint: WebhookEndpoint, now: datetime) -> None:
            if url is not None:
                endpoint.sealed_url = self._cipher.seal(url.encode(), context=str(owner))
                endpoint.shown_url = masked(url)
            endpoint.events = endpoint.events if events is None else tuple(dict.fromkeys(events))
            endpoint.description = endpoint.description if description is None else description
            if enabled:
                endpoint.enable()
            elif enabled is not None:
                endpoint.disable("by its owner", now=now)

        return await self._change(owner, endpoint_id, Action.CHANGED, apply)

    async def rotate(self, owner: OwnerId, endpoint_id: EndpointId) -> tuple[WebhookEndpoint, str]:
        """Give the endpoint a new secret, and return it; for a day the old one signs as well.

        Raises:
            WebhookNotFound, NotConfigured: as `one` and `add`.
        """
        secret = secrets.token_bytes(_SECRET_BYTES)

        def apply(endpoint: WebhookEndpoint, now: datetime) -> None:
            endpoint.rotate(self._cipher.seal(secret, context=str(owner)), now=now)

        return await self._change(owner, endpoint_id, Action.REPLACED, apply), secret_text(secret)

    async def remove(self, owner: OwnerId, endpoint_id: EndpointId) -> None:
        """Remove the endpoint with its deliveries.

        Raises:
            WebhookNotFound: there is no such endpoint.
        """
        async with self._new_uow() as uow:
            await owned_endpoint(uow, owner, endpoint_id)
            await uow.webhooks.remove(endpoint_id)
            await record(uow, Action.DELETED, Thing.WEBHOOK, endpoint_id, owner=owner)
            await uow.commit()

    async def _new(self, owner: OwnerId, url: str, secret: bytes) -> WebhookEndpoint:
        await self._sender.judge(url)
        endpoint_id, now = EndpointId(self._ids.new()), self._clock.now()
        context = str(owner)
        return WebhookEndpoint(
            id=endpoint_id,
            owner=owner,
            sealed_url=self._cipher.seal(url.encode(), context=context),
            shown_url=masked(url),
            secrets=(SealedSecret(sealed=self._cipher.seal(secret, context=context), created_at=now),),
            created_at=now,
        )

    async def _change(
        self,
        owner: OwnerId,
        endpoint_id: EndpointId,
        action: Action,
        apply: Callable[[WebhookEndpoint, datetime], None],
    ) -> WebhookEndpoint:
        while True:
            async with self._new_uow() as uow:
                endpoint = await owned_endpoint(uow, owner, endpoint_id)
                apply(endpoint, await uow.tasks.now())
                try:
                    await uow.webhooks.save(endpoint)
                except StaleWebhook:
                    continue
                await record(uow, action, Thing.WEBHOOK, endpoint_id, owner=owner)
                await uow.commit()
                return endpoint


async def owned_endpoint(uow: UnitOfWork, owner: OwnerId, endpoint_id: EndpointId) -> WebhookEndpoint:
    """Return the owner's endpoint.

    Raises:
        WebhookNotFound: there is none, or it is not the owner's.
    """
    endpoint = await uow.webhooks.get(endpoint_id)
    if endpoint is not None and endpoint.owner != owner:
        note_refusal(Thing.WEBHOOK, endpoint_id)
    if endpoint is None or endpoint.owner != owner:
        raise WebhookNotFound(f"there is no webhook {endpoint_id}")
    return endpoint
