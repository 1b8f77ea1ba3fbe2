"""The fields of a transcription request, as they are described and judged one by one; reading them is `form`'s."""

from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from domain.egress import MAX_URL
from domain.known_speakers import MAX_KNOWN_SPEAKERS
from domain.labels import MAX_TAG, MAX_TAGS, MAX_TITLE
from domain.media import ChannelMode
from domain.options import MAX_HOTWORDS, MAX_LANGUAGES, MAX_PROMPT, MAX_SPEAKERS, Goal

FILE = "file"
UPLOAD = "upload_id"
URL = "url"
CLIP = "clip_id"
SHA256 = "sha256"
_Count = Annotated[int, Meta(ge=1, le=MAX_SPEAKERS)]
_Temperature = Annotated[float, Meta(ge=0, le=1)]


class TranscribeFields(Struct, kw_only=True, forbid_unknown_fields=True):
    """What may be asked, beside the recording; text, so `true` and `3` are read as what they say."""

    lang: Annotated[str, Meta(description="Language code such as `en` or `pt-BR`, or `auto`.")] = "auto"
    languages: Annotated[
        list[str],
        Meta(
            max_length=MAX_LANGUAGES,
            description="Languages that may be spoken, with `lang` left at `auto`; each stretch of speech is one of "
            "them. Repeat the field, or separate the codes by commas.",
        ),
    ] = []
    task: Annotated[Goal, Meta(description="`translate` writes English, whatever is spoken, where the model can.")] = (
        Goal.TRANSCRIBE
    )
    temperature: Annotated[
        _Temperature | UnsetType,
        Meta(description="One sampling temperature for all; left out, doubtful passages are tried at more."),
    ] = UNSET
    model: Annotated[str, Meta(description="Model by name; empty means the configured default.")] = ""
    format: Annotated[str, Meta(description="What `/result` gives unless told otherwise.")] = "json"
    diarization: Annotated[bool, Meta(description="Whether to tell speakers apart.")] = True
    num_speakers: Annotated[_Count | UnsetType, Meta(description="Exactly so many speakers.")] = UNSET
    min_speakers: Annotated[_Count | UnsetType, Meta(description="At least so many.")] = UNSET
    max_speakers: Annotated[_Count | UnsetType, Meta(description="At most so many.")] = UNSET
    channels: Annotated[ChannelMode, Meta(description="`split` gives each channel a speaker of its own.")] = (
        ChannelMode.AUTO
    )
    initial_prompt: Annotated[
        str, Meta(max_length=MAX_PROMPT, description="Text that sets vocabulary and style, where the engine takes one.")
    ] = ""
    hotwords: Annotated[
        list[str],
        Meta(max_length=MAX_HOTWORDS, description="Words to expect; repeat the field, or separate them by commas."),
    ] = []
    known_speaker_names: Annotated[
        list[str],
        Meta(
            max_length=MAX_KNOWN_SPEAKERS,
            description="Speakers to look for by their voices; repeat the field, or separate them by commas.",
        ),
    ] = []
    known_speaker_clips: Annotated[
        list[UUID],
        Meta(
            max_length=MAX_KNOWN_SPEAKERS,
            description="For each of them, in the same order, a clip of 1 to 30 seconds in which nobody else speaks.",
        ),
    ] = []
    title: Annotated[str, Meta(max_length=MAX_TITLE, description="What you call it.")] = ""
    tags: Annotated[
        list[str],
        Meta(
            max_length=MAX_TAGS,
            description=f"Words to find it by, each of at most {MAX_TAG} characters; repeat the field, or separate "
            "them by commas.",
        ),
    ] = []
    reuse: Annotated[
        bool,
        Meta(
            description="Answer with an earlier task of yours, done or under way, that had the same recording and "
            "options, if there is one."
        ),
    ] = False
    webhook_url: Annotated[
        str,
        Meta(
            max_length=MAX_URL,
            description="Where this task's events are sent, beside your webhooks; `https://…`, at a public address.",
        ),
    ] = ""
    webhook_secret: Annotated[
        str,
        Meta(
            max_length=100,
            description="Signs them; needed with `webhook_url`. Make one up: `whsec_` and 24 to 64 random bytes in "
            "base64.",
        ),
    ] = ""
