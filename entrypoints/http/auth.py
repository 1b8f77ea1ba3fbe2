"""Users: registering, logging in and out, changing a password, and lending tokens to browsers."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from application.lend_token import LendToken
from application.log_in import LogIn, LogOut
from application.manage_api_keys import scopes_of
from application.register_user import ChangePassword, RegisterUser
from domain.access import ALL_SCOPES, Caller, Scope
from domain.errors import InvalidOptions
from domain.task import TaskId
from entrypoints.http.errors import BadRequest
from entrypoints.http.openapi import problems
from entrypoints.http.operations_access import LogInOperation
from entrypoints.http.rates import Zone
from entrypoints.http.schemas_access import (
    Credentials,
    LendRequest,
    LentToken,
    PasswordChange,
    Registration,
    SessionToken,
    UserShown,
)

MOST_BYTES = 8_192
"""More than the longest address and password take, however they are escaped."""
_MOST_FIELDS = 10
_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"


@post(
    "/auth/register",
    opt={"zone": Zone.AUTH},
    request_max_body_size=MOST_BYTES,
    summary="Register a user",
    response_description="The user.",
    tags=["Callers"],
    responses=problems("email_taken", "invalid_options", "form_too_large", "rate_limited"),
)
async def register_user(data: JSONBody[Registration], register: NamedDependency[RegisterUser]) -> UserShown:
    """Make a user, where the installation lets anybody register. What the user makes is nobody else's to see."""
    user = await register(email=data.email, password=data.password, full_name=data.full_name)
    return UserShown(id=user.id, email=user.email, full_name=user.full_name, created_at=user.created_at)


@post(
    "/auth/token",
    status_code=200,
    opt={"zone": Zone.AUTH},
    request_max_body_size=MOST_BYTES,
    operation_class=LogInOperation,
    summary="Log in",
    response_description="A token.",
    tags=["Callers"],
    responses=problems("unsupported_media", "invalid_options", "form_too_large", "rate_limited", "not_configured"),
)
async def create_session(request: Request[Any, Any, Any], log_in: NamedDependency[LogIn]) -> SessionToken:
    """Begin a session: send `username` and `password` as a form (or as JSON) and use the token as a key for an hour."""
    given = await _credentials(request)
    scopes = scopes_of(given.scope.split()) if given.scope.strip() else ALL_SCOPES
    begun = await log_in(email=given.username, password=given.password, scopes=scopes)
    lasts = begun.session.expires_at - begun.session.created_at
    return SessionToken(
        access_token=begun.token, expires_in=int(lasts.total_seconds()), scope=" ".join(sorted(begun.session.scopes))
    )


@post(
    "/auth/logout",
    status_code=204,
    opt={"scope": Scope.READ},
    request_max_body_size=MOST_BYTES,
    summary="Log out",
    response_description="The session has ended.",
    tags=["Callers"],
    responses=problems(),
)
async def end_session(caller: NamedDependency[Caller], log_out: NamedDependency[LogOut]) -> Response[None]:
    """End the session whose token this request carries, with every token that was lent by it."""
    await log_out(caller)
    return Response(None, status_code=204)


@post(
    "/auth/password",
    status_code=204,
    opt={"scope": Scope.ADMIN},
    request_max_body_size=MOST_BYTES,
    summary="Change your password",
    response_description="It is changed, and all your sessions have ended.",
    tags=["Callers"],
    responses=problems("invalid_options", "form_too_large"),
)
async def change_password(
    data: JSONBody[PasswordChange], caller: NamedDependency[Caller], change: NamedDependency[ChangePassword]
) -> Response[None]:
    """Change the password of the user who has logged in, and end all sessions of that user, this one too."""
    await change(caller, current=data.current_password, new=data.new_password)
    return Response(None, status_code=204)


@post(
    "/tokens",
    opt={"scope": Scope.READ},
    request_max_body_size=MOST_BYTES,
    summary="Lend a token",
    response_description="The token.",
    tags=["Callers"],
    responses=problems("invalid_options", "form_too_large", "not_configured"),
)
async def lend_token(
    data: JSONBody[LendRequest], caller: NamedDependency[Caller], lend: NamedDependency[LendToken]
) -> LentToken:
    """Make a short-lived token for a browser, which should not hold your key: for some scopes, or for one task.

    It goes where a key goes. A GET or a WebSocket, which a page often cannot give a header, takes it as
    `?access_token=` too. Revoking your own credential ends it at once.
    """
    token, text = lend(
        caller, scopes=frozenset(data.scopes), valid=timedelta(seconds=data.expires_in),
        task=None if data.task_id is None else TaskId(data.task_id),
    )  # fmt: skip
    return LentToken(token=text, expires_at=token.expires_at, scopes=sorted(token.scopes), task_id=token.task)


OPEN_ROUTES = (register_user, create_session)
"""What nobody needs a credential for."""
CALLER_ROUTES = (end_session, change_password, lend_token)


async def _credentials(request: Request[Any, Any, Any]) -> Credentials:
    kind, body = request.content_type[0], await request.body()
    try:
        if kind == _JSON:
            return msgspec.json.decode(body, type=Credentials)
        if kind != _FORM:
            raise BadRequest(f"send {_FORM} or {_JSON}", code="unsupported_media")
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"))
        return msgspec.convert(fields, Credentials)
    except msgspec.ValidationError as error:
        raise InvalidOptions(str(error)) from error
    except (msgspec.DecodeError, ValueError) as error:
        raise BadRequest("the body cannot be read") from error
