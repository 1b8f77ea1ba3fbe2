"""What goes over the wire about retries, revisions and speakers; seconds appear here and nowhere below."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from domain.edits import EditKind
from domain.media import ChannelMode
from domain.options import MAX_SPEAKERS
from domain.stage import StageName, StageStatus

_Count = Annotated[int, Meta(ge=1, le=MAX_SPEAKERS)]
_Label = Annotated[str, Meta(min_length=1, max_length=64)]
_Seconds = Annotated[float, Meta(ge=0, le=1_000_000)]


class RetryRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to try again."""

    force: Annotated[
        bool, Meta(description="Also when the task was set apart for killing its workers.", examples=[True])
    ] = False


class RevisionRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to find anew; nothing at all lets the diarizer decide."""

    num_speakers: Annotated[_Count | None, Meta(description="Exactly so many speakers.", examples=[3])] = None
    min_speakers: Annotated[_Count | None, Meta(description="At least so many.")] = None
    max_speakers: Annotated[_Count | None, Meta(description="At most so many.")] = None
    channels: Annotated[
        ChannelMode | None,
        Meta(description="`split` tells speakers by channel, `mix` by voice; as before if left out."),
    ] = None


class StageSummary(Struct, frozen=True, kw_only=True):
    """What became of a stage."""

    name: StageName
    status: StageStatus
    engine: Annotated[str, Meta(examples=["acoustic"])]


class RevisionOptions(Struct, frozen=True, kw_only=True):
    """What was asked of its speakers."""

    diarization: bool
    num_speakers: int | None
    min_speakers: int | None
    max_speakers: int | None
    channels: ChannelMode


class RevisionSummary(Struct, frozen=True, kw_only=True):
    """One revision; it never changes."""

    revision: Annotated[int, Meta(description="For `/result/{task_id}?revision=`.", examples=[2])]
    created_at: datetime
    task_id: Annotated[UUID, Meta(description="The task that made it.")]
    options: RevisionOptions
    stages: list[StageSummary]


class RevisionList(Struct, frozen=True, kw_only=True):
    """Every revision of a transcript, by number; the numbers of revisions that failed are left out."""

    revisions: list[RevisionSummary]


class SpeakerView(Struct, frozen=True, kw_only=True):
    """A speaker of the latest revision, as it is edited."""

    label: Annotated[str, Meta(description="What edits call the speaker.", examples=["spk_1"])]
    name: Annotated[str | None, Meta(description="What is shown instead.", examples=["Alice"])]
    talk_time: Annotated[float, Meta(description="Seconds.", examples=[61.2])]
    share: Annotated[float, Meta(description="Of all talk time, 0 to 1.", examples=[0.43])]
    turns: int
    segments: Annotated[int, Meta(description="Of the transcript.")]
    words: int
    words_per_minute: float
    overlap_time: Annotated[float, Meta(description="Seconds that somebody else spoke as well.")]
    longest_turn: Annotated[float, Meta(description="Seconds.")]
    interruptions: Annotated[
        int, Meta(description="Turns that began while somebody else spoke, and went on when that one had stopped.")
    ]


class EditSummary(Struct, frozen=True, kw_only=True):
    """A change that somebody made by hand."""

    seq: Annotated[int, Meta(description="For undoing.", examples=[3])]
    kind: EditKind
    revision: Annotated[int, Meta(description="The revision whose labels it names.", examples=[1])]
    speaker: Annotated[str | None, Meta(description="Who is renamed, or merged into another.", examples=["spk_1"])]
    name: Annotated[str | None, Meta(examples=["Alice"])]
    into: Annotated[str | None, Meta(description="Who gets the words.", examples=[None])]
    start: Annotated[float | None, Meta(description="Seconds; of words that were reassigned.", examples=[None])]
    end: Annotated[float | None, Meta(examples=[None])]
    channel: Annotated[int | None, Meta(examples=[None])]
    created_at: datetime
    undone_at: Annotated[datetime | None, Meta(examples=[None])]
    not_applied: Annotated[
        str | None, Meta(description="Why it has no place in the latest revision, where it has none.", examples=[None])
    ]


class SpeakerList(Struct, frozen=True, kw_only=True):
    """The speakers of a transcript. `version` grows with every edit; it is also the `ETag`."""

    revision: int
    version: int
    speakers: list[SpeakerView]


class EditList(Struct, frozen=True, kw_only=True):
    """Every edit of a transcript, undone ones too."""

    revision: int
    version: int
    edits: list[EditSummary]


class RenameRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The name to show; null shows the label again."""

    name: Annotated[str, Meta(min_length=1, max_length=100, examples=["Alice"])] | None


class MergeRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Two labels of the same person."""

    speaker: Annotated[_Label, Meta(description="Who ceases to be.", examples=["spk_3"])]
    into: Annotated[_Label, Meta(description="Who gets all the words.", examples=["spk_1"])]


class ReassignRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Words to give to somebody: those that start within the time. A segment's `start` and `end` name its words."""

    start: Annotated[_Seconds, Meta(description="Seconds.", examples=[12.5])]
    end: Annotated[_Seconds, Meta(description="Seconds; a word that starts here is not meant.", examples=[14.0])]
    speaker: Annotated[
        _Label,
        Meta(
            description="A label; a new speaker takes one of your own, such as `guest`, not `spk_…`.",
            examples=["spk_2"],
        ),
    ]
    channel: Annotated[int, Meta(ge=0, le=64)] | UnsetType = UNSET
