"""OpenAI's list of models: what a request may name here, and what stands for the configured one."""

from collections.abc import Iterator
from typing import Annotated, Literal

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct

from application.list_models import ListModels
from domain.access import Caller
from domain.errors import ModelNotFound
from entrypoints.http.openai.form import ALIASES
from entrypoints.http.openai.operations import failures

_OWNER = "colloquy"


class OpenAIModel(Struct, frozen=True, kw_only=True):
    """A model by name."""

    id: Annotated[str, Meta(examples=["whisper-1"])]
    object: Literal["model"] = "model"
    created: Annotated[int, Meta(description="Always 0: it is not known.")] = 0
    owned_by: Annotated[str, Meta(description="The engine, or this service for OpenAI's names.")] = _OWNER


class OpenAIModelList(Struct, frozen=True, kw_only=True):
    """All of them."""

    data: list[OpenAIModel]
    object: Literal["list"] = "list"


@get(
    "/models",
    summary="What `model` may name",
    tags=["OpenAI"],
    response_description="The names.",
    responses=failures("malformed_request", "unauthorized", "internal_error"),
    sync_to_thread=True,
)
def list_openai_models(caller: NamedDependency[Caller], models: NamedDependency[ListModels]) -> OpenAIModelList:
    """See the recognisers by name, and OpenAI's names, each of which stands for the one that is configured."""
    del caller  # the guard has let it in; models are everybody's
    return OpenAIModelList(data=list(_known(models)))


@get(
    "/models/{name:path}",
    summary="One model",
    tags=["OpenAI"],
    response_description="It is there.",
    responses=failures("malformed_request", "unauthorized", "model_not_found", "internal_error"),
    sync_to_thread=True,
)
def get_openai_model(
    name: FromPath[str], caller: NamedDependency[Caller], models: NamedDependency[ListModels]
) -> OpenAIModel:
    """See whether a request may name it."""
    del caller
    wanted = name.removeprefix("/")
    for model in _known(models):
        if model.id == wanted:
            return model
    raise ModelNotFound(f"the model {wanted[:100]!r} does not exist")


def _known(models: ListModels) -> Iterator[OpenAIModel]:
    yield from (OpenAIModel(id=name) for name in ALIASES)
    for view in models():
        if view.usable and view.shelved.kind == "asr":
            yield OpenAIModel(id=view.shelved.name, owned_by=view.shelved.engine)
