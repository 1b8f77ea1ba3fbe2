"""Listing the models: what can be asked for, what it can do, and what is ready."""

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from msgspec import Meta, Struct

from application.list_models import ListModels, ModelView
from domain.access import Caller
from entrypoints.http.openapi import problems


class Model(Struct, frozen=True, kw_only=True):
    """A model, and where it stands."""

    name: Annotated[str, Meta(examples=["small"])]
    kind: Annotated[str, Meta(description="`asr` or `diarization`.", examples=["asr"])]
    engine: Annotated[str, Meta(description="What runs it.", examples=["faster_whisper"])]
    configured: Annotated[bool, Meta(description="Taken when a request names none.", examples=[True])]
    usable: Annotated[bool, Meta(description="A request may name it, or it is taken anyway.", examples=[True])]
    here: Annotated[bool, Meta(description="Its weights are on the machine.", examples=[True])]
    loaded: Annotated[bool, Meta(description="It is in memory, so the next task does not wait.", examples=[False])]
    reason: Annotated[str, Meta(description="Why it cannot be used, where it cannot.", examples=[""])]
    device: Annotated[str | None, Meta(description="What it computes on, when it is usable.", examples=["cpu"])]
    languages: Annotated[
        list[str] | None, Meta(description="Codes that it knows; null is any, or not a matter of words.")
    ]
    abilities: Annotated[
        list[str],
        Meta(
            description="Of `word_timestamps`, `detects_language`, `translation`, `initial_prompt`, `hotwords`.",
            examples=[["word_timestamps", "detects_language", "hotwords"]],
        ),
    ]
    size_bytes: Annotated[int | None, Meta(description="On disk, where it is known.", examples=[486212372])]
    licence: Annotated[str, Meta(description="Empty where it is not known.", examples=["MIT"])]
    non_commercial: Annotated[bool, Meta(description="Its licence forbids commercial use.", examples=[False])]
    gated: Annotated[bool, Meta(description="Its publisher wants an account's agreement.", examples=[False])]


class ModelList(Struct, frozen=True, kw_only=True):
    """Every model that is known, those in use first."""

    models: list[Model]


@get(
    "/models",
    summary="What recognises and what tells apart",
    response_description="Every model that is known.",
    tags=["Models"],
    responses=problems(),
    sync_to_thread=True,
)
def list_models(caller: NamedDependency[Caller], models: NamedDependency[ListModels]) -> ModelList:
    """See which models a request may name, what they can do, and which are ready; nothing is loaded for it."""
    del caller  # the guard has let it in; models are everybody's
    return ModelList(models=[_shown(view) for view in models()])


def _shown(view: ModelView) -> Model:
    shelved = view.shelved
    languages = view.languages or (tuple(sorted(shelved.languages)) if not view.usable else ())
    return Model(
        name=shelved.name,
        kind=shelved.kind,
        engine=shelved.engine,
        configured=view.configured,
        usable=view.usable,
        here=shelved.here,
        loaded=view.loaded,
        reason=view.reason,
        device=view.device,
        languages=list(languages) or None,
        abilities=list(view.abilities),
        size_bytes=shelved.size,
        licence=shelved.licence,
        non_commercial=shelved.non_commercial,
        gated=shelved.gated,
    )
