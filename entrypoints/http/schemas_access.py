"""What goes over the wire about keys, users and tokens; ages are in whole seconds."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from domain.access import Scope

_LINE = r"^[^\x00-\x1f\x7f]*$"
_Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=_LINE, description="To tell keys apart.")]
_Scopes = Annotated[
    list[Scope], Meta(min_length=1, max_length=3, description="What it is good for: none that yours is not.")
]
_Age = Annotated[int, Meta(ge=1, le=315_360_000, description="Seconds from now after which it lets nobody in.")]
_Password = Annotated[
    str, Meta(max_length=1_024, description="8 to 1,024 bytes.", examples=["a long sentence of mine"])
]


class KeyRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    """A key to make."""

    name: Annotated[_Name, Meta(examples=["reporting"])]
    scopes: Annotated[_Scopes, Meta(examples=[["read"]])]
    expires_in: Annotated[_Age | None, Meta(examples=[2_592_000])] = None


class KeyChangeRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    """What becomes of a key; what is left out stays as it is."""

    name: _Name | UnsetType = UNSET
    scopes: _Scopes | UnsetType = UNSET
    expires_in: _Age | UnsetType = UNSET


class KeyRotation(Struct, kw_only=True, forbid_unknown_fields=True):
    """How a key is replaced."""

    grace_seconds: Annotated[
        int, Meta(ge=0, le=2_592_000, description="For so long the old secret stays good beside the new one.")
    ] = 3_600


class KeyShown(Struct, frozen=True, kw_only=True):
    """A key, without its secret."""

    id: Annotated[UUID, Meta(examples=["0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e"])]
    name: str
    hint: Annotated[str, Meta(description="How the secret begins.", examples=["cq_8fK2"])]
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: Annotated[datetime | None, Meta(description="To the minute.")]
    replaced_by: Annotated[UUID | None, Meta(description="The key that was issued in its place.")]


class KeyIssued(KeyShown, frozen=True, kw_only=True):
    """A new key."""

    secret: Annotated[str, Meta(description="What `Authorization: Bearer` takes. It is shown this once.")]


class KeyList(Struct, frozen=True, kw_only=True):
    """All keys of the owner, the oldest first, revoked ones too."""

    keys: list[KeyShown]


class Registration(Struct, kw_only=True, forbid_unknown_fields=True):
    """A user to make."""

    email: Annotated[str, Meta(max_length=254, examples=["ann@example.org"])]
    password: _Password
    full_name: Annotated[str, Meta(max_length=200, pattern=_LINE, examples=["Ann Arbor"])] = ""


class UserShown(Struct, frozen=True, kw_only=True):
    """A user."""

    id: UUID
    email: str
    full_name: str
    created_at: datetime


class Credentials(Struct, kw_only=True):
    """What a login takes: the password grant of OAuth 2.0."""

    username: Annotated[str, Meta(max_length=254, description="The address.", examples=["ann@example.org"])]
    password: _Password
    grant_type: Annotated[str, Meta(pattern="^(password)?$", examples=["password"])] = "password"
    scope: Annotated[str, Meta(max_length=100, description="Some of the scopes, with spaces; all if empty.")] = ""


class SessionToken(Struct, frozen=True, kw_only=True):
    """What a login gives."""

    access_token: Annotated[str, Meta(description="What `Authorization: Bearer` takes.")]
    token_type: Annotated[str, Meta(examples=["bearer"])] = "bearer"  # noqa: S105 - the kind of a token
    expires_in: Annotated[int, Meta(description="Seconds.", examples=[3_600])]
    scope: Annotated[str, Meta(examples=["admin read write"])]


class PasswordChange(Struct, kw_only=True, forbid_unknown_fields=True):
    """A new password."""

    current_password: _Password
    new_password: _Password


class LendRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    """A token to lend."""

    scopes: Annotated[_Scopes, Meta(examples=[["read"]])]
    expires_in: Annotated[int, Meta(ge=1, le=3_600, description="Seconds.", examples=[600])] = 600
    task_id: Annotated[UUID | None, Meta(description="Then the token is good for this task alone.")] = None


class LentToken(Struct, frozen=True, kw_only=True):
    """A token for a browser."""

    token: Annotated[
        str, Meta(description="For `Authorization: Bearer`, or `?access_token=` where nothing is changed.")
    ]
    expires_at: datetime
    scopes: list[Scope]
    task_id: UUID | None
