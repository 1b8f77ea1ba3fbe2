"""Registering webhooks, changing them, and giving them new secrets."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Response, delete, get, patch, post
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, Parameter
from msgspec import UNSET

from application.manage_webhooks import ManageWebhooks
from application.rendering.plain import one_line
from domain.access import Caller
from domain.task import TaskId
from domain.webhook import EndpointId, WebhookEndpoint
from entrypoints.http.limits import MAX_FIELDS_BYTES
from entrypoints.http.openapi import problems
from entrypoints.http.schemas_webhooks import Webhook, WebhookChange, WebhookList, WebhookRequest, WebhookWithSecret

_LOCATION = ResponseHeader(
    name="Location",
    value="/api/v1/webhooks/0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e",
    description="The webhook.",
    documentation_only=True,
)


@post(
    "/webhooks",
    request_max_body_size=MAX_FIELDS_BYTES,
    summary="Register a webhook",
    response_description="It is told of everything from now on; its secret is shown this once.",
    response_headers=[_LOCATION],
    tags=["Webhooks"],
    responses=problems("invalid_options", "url_not_allowed", "too_many_webhooks", "not_configured"),
)
async def create_webhook(
    caller: NamedDependency[Caller], data: JSONBody[WebhookRequest], webhooks: NamedDependency[ManageWebhooks]
) -> Response[WebhookWithSecret]:
    """Events are sent as Standard Webhooks 1.0 describes: signed, and tried again for three days until they are taken.

    Any answer with a status from 200 to 299 takes an event; redirects are not followed. `410` disables the webhook.
    Keep `webhook-id` of what you have handled: an event may come more than once.
    """
    endpoint, secret = await webhooks.add(
        caller.owner, data.url, events=data.events, description=one_line(data.description)
    )
    return Response(
        WebhookWithSecret(secret=secret, **_facts(endpoint)), headers={"Location": f"/api/v1/webhooks/{endpoint.id}"}
    )


@get(
    "/webhooks",
    summary="Your webhooks",
    response_description="All of them.",
    tags=["Webhooks"],
    responses=problems("invalid_options"),
)
async def list_webhooks(
    caller: NamedDependency[Caller],
    webhooks: NamedDependency[ManageWebhooks],
    task: Annotated[
        UUID | None, Parameter(description="Those that were given with this task, as `webhook_url`, instead.")
    ] = None,
) -> WebhookList:
    """Secrets are not shown."""
    found = await webhooks.all(caller.owner, task=None if task is None else TaskId(task))
    return WebhookList(webhooks=[Webhook(**_facts(endpoint)) for endpoint in found])


@get(
    "/webhooks/{webhook_id:uuid}",
    summary="One webhook",
    response_description="How it stands.",
    tags=["Webhooks"],
    responses=problems("not_found"),
)
async def get_webhook(
    webhook_id: FromPath[UUID], caller: NamedDependency[Caller], webhooks: NamedDependency[ManageWebhooks]
) -> Webhook:
    """The secret is not shown."""
    return Webhook(**_facts(await webhooks.one(caller.owner, EndpointId(webhook_id))))


@patch(
    "/webhooks/{webhook_id:uuid}",
    request_max_body_size=MAX_FIELDS_BYTES,
    summary="Change a webhook",
    response_description="How it stands now.",
    tags=["Webhooks"],
    responses=problems("not_found", "invalid_options", "url_not_allowed", "not_configured"),
)
async def change_webhook(
    webhook_id: FromPath[UUID],
    data: JSONBody[WebhookChange],
    caller: NamedDependency[Caller],
    webhooks: NamedDependency[ManageWebhooks],
) -> Webhook:
    """What is disabled is told nothing; what waited for it goes on waiting, and is sent once it is enabled again."""
    changed = await webhooks.change(
        caller.owner,
        EndpointId(webhook_id),
        url=None if data.url is UNSET else data.url,
        events=None if data.events is UNSET else data.events,
        description=None if data.description is UNSET else one_line(data.description),
        enabled=None if data.enabled is UNSET else data.enabled,
    )
    return Webhook(**_facts(changed))


@delete(
    "/webhooks/{webhook_id:uuid}",
    summary="Remove a webhook",
    response_description="It is gone, and its deliveries with it.",
    tags=["Webhooks"],
    responses=problems("not_found"),
)
async def delete_webhook(
    webhook_id: FromPath[UUID], caller: NamedDependency[Caller], webhooks: NamedDependency[ManageWebhooks]
) -> None:
    """Nothing more is sent to it, not even what waited."""
    await webhooks.remove(caller.owner, EndpointId(webhook_id))


@post(
    "/webhooks/{webhook_id:uuid}/rotate",
    status_code=200,
    summary="Give a webhook a new secret",
    response_description="The new secret, shown this once.",
    tags=["Webhooks"],
    responses=problems("not_found", "not_configured"),
)
async def rotate_webhook(
    webhook_id: FromPath[UUID], caller: NamedDependency[Caller], webhooks: NamedDependency[ManageWebhooks]
) -> WebhookWithSecret:
    """For 24 hours all is signed with the old secret too, so that receivers can change over in their own time."""
    endpoint, secret = await webhooks.rotate(caller.owner, EndpointId(webhook_id))
    return WebhookWithSecret(secret=secret, **_facts(endpoint))


def _facts(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "url": endpoint.shown_url,
        "events": list(endpoint.events),
        "description": endpoint.description,
        "task_id": endpoint.task,
        "enabled": endpoint.enabled,
        "disabled_reason": endpoint.disabled_reason or None,
        "paused_until": endpoint.paused_until,
        "created_at": endpoint.created_at,
        "old_secret_signs_until": max(
            (secret.expires_at for secret in endpoint.secrets if secret.expires_at), default=None
        ),
    }
