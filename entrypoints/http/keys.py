"""The owner's API keys: made, listed, changed, replaced, revoked."""

from datetime import timedelta
from uuid import UUID

from litestar import Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import UNSET

from application.manage_api_keys import KeyChange, ManageApiKeys
from domain.access import ApiKey, Caller, Scope
from domain.errors import ScopeLacking
from entrypoints.http.limits import MAX_FIELDS_BYTES
from entrypoints.http.openapi import problems
from entrypoints.http.schemas_access import KeyChangeRequest, KeyIssued, KeyList, KeyRequest, KeyRotation, KeyShown

_ADMIN = {"scope": Scope.ADMIN}


@post(
    "/keys",
    opt=_ADMIN,
    request_max_body_size=MAX_FIELDS_BYTES,
    summary="Make a key",
    response_description="The key, with its secret.",
    tags=["Callers"],
    responses=problems("invalid_options", "form_too_large"),
)
async def create_key(
    data: JSONBody[KeyRequest], caller: NamedDependency[Caller], keys: NamedDependency[ManageApiKeys]
) -> KeyIssued:
    """Make a key for the same owner, good for no more than yours is. Its secret is in this answer and nowhere else."""
    age = None if data.expires_in is None else timedelta(seconds=data.expires_in)
    key, secret = await keys.issue(
        data.name, owner=caller.owner, priority=caller.priority, scopes=_within(caller, data.scopes), expires_in=age
    )
    return _issued(key, secret)


@get("/keys", opt=_ADMIN, summary="List keys", response_description="All of them.", tags=["Callers"],
     responses=problems())  # fmt: skip
async def list_keys(caller: NamedDependency[Caller], keys: NamedDependency[ManageApiKeys]) -> KeyList:
    """List your keys, the oldest first, those that are revoked or expired too."""
    return KeyList(keys=[_shown(key) for key in await keys.list(owner=caller.owner)])


@get("/keys/{key_id:uuid}", opt=_ADMIN, summary="Look at a key", response_description="The key.", tags=["Callers"],
     responses=problems("not_found"))  # fmt: skip
async def get_key(
    key_id: FromPath[UUID], caller: NamedDependency[Caller], keys: NamedDependency[ManageApiKeys]
) -> KeyShown:
    """Look at one of your keys: what it is good for, until when, and when it was last used."""
    return _shown(await keys.get(key_id, owner=caller.owner))


@patch(
    "/keys/{key_id:uuid}",
    opt=_ADMIN,
    request_max_body_size=MAX_FIELDS_BYTES,
    summary="Change a key",
    response_description="The key as it is now.",
    tags=["Callers"],
    responses=problems("not_found", "invalid_options", "form_too_large"),
)
async def change_key(
    key_id: FromPath[UUID],
    data: JSONBody[KeyChangeRequest],
    caller: NamedDependency[Caller],
    keys: NamedDependency[ManageApiKeys],
) -> KeyShown:
    """Give a key another name, other scopes, or another end. It counts from the next request on."""
    change = KeyChange(
        name=None if data.name is UNSET else data.name,
        scopes=None if data.scopes is UNSET else _within(caller, data.scopes),
        expires_in=None if data.expires_in is UNSET else timedelta(seconds=data.expires_in),
    )
    return _shown(await keys.change(key_id, change, owner=caller.owner))


@delete("/keys/{key_id:uuid}", opt=_ADMIN, summary="Revoke a key", response_description="It lets nobody in any more.",
        tags=["Callers"], responses=problems("not_found"))  # fmt: skip
async def revoke_key(
    key_id: FromPath[UUID], caller: NamedDependency[Caller], keys: NamedDependency[ManageApiKeys]
) -> Response[None]:
    """Shut a key out, from the next request on, with every token that was lent by it. It stays in the list."""
    await keys.revoke(key_id, owner=caller.owner)
    return Response(None, status_code=204)


@post(
    "/keys/{key_id:uuid}/rotate",
    opt=_ADMIN,
    request_max_body_size=MAX_FIELDS_BYTES,
    summary="Replace a key",
    response_description="The new key, with its secret.",
    tags=["Callers"],
    responses=problems("not_found", "wrong_state", "invalid_options", "form_too_large"),
)
async def rotate_key(
    key_id: FromPath[UUID],
    data: JSONBody[KeyRotation],
    caller: NamedDependency[Caller],
    keys: NamedDependency[ManageApiKeys],
) -> KeyIssued:
    """Make a key that is good for the same. The old one stays good beside it for `grace_seconds`, and then ends."""
    grace = timedelta(seconds=data.grace_seconds)
    return _issued(*await keys.rotate(key_id, grace=grace, owner=caller.owner, within=caller.scopes))


KEY_ROUTES = (create_key, list_keys, get_key, change_key, revoke_key, rotate_key)


def _within(caller: Caller, scopes: list[Scope]) -> frozenset[Scope]:
    if lacking := frozenset(scopes) - caller.scopes:
        raise ScopeLacking(f"this credential lacks the scope {', '.join(sorted(lacking))} itself")
    return frozenset(scopes)


def _issued(key: ApiKey, secret: str) -> KeyIssued:
    shown = _shown(key)
    return KeyIssued(secret=secret, **{name: getattr(shown, name) for name in KeyShown.__struct_fields__})


def _shown(key: ApiKey) -> KeyShown:
    return KeyShown(
        id=key.id, name=key.name, hint=key.hint, scopes=sorted(key.scopes), created_at=key.created_at,
        expires_at=key.expires_at, revoked_at=key.revoked_at, last_used_at=key.last_used_at,
        replaced_by=key.replaced_by,
    )  # fmt: skip
