"""Edits of speakers: undone they leave no trace, no word is ever lost, and they follow speakers to other revisions."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from domain.edits import Change, Edit, EditKind, apply, mapping, speakers
from domain.media import MediaFacts
from domain.regrouping import regroup
from domain.span import Span
from domain.speaker import SpeakerTurn, exclusive_turns
from domain.transcript import Alternative, Segment, Transcript, Word
from tests.builders import NOW

LABELS = ("spk_1", "spk_2", "spk_3", "guest")
labels = st.sampled_from(LABELS)


_drawn = st.tuples(
    st.integers(0, 900), st.integers(1, 400), st.none() | st.sampled_from(LABELS[:3]), st.none() | labels,
    st.sampled_from(["", "."]),
)  # fmt: skip


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript:
    """Words in a row, on one channel or two, some segments without words; turns where the words are, or none."""
    tracks = draw(st.integers(1, 2))
    segments: list[Segment] = []
    for channel in range(tracks):
        at, words = 0, []
        for gap, length, speaker, other, mark in draw(st.lists(_drawn, max_size=6)):
            start, at = at + gap, at + gap + length
            others = (Alternative(other, 0.2),) if other else ()
            words.append(Word(span=Span(start, at), text=f"w{mark}", speaker=speaker, alternatives=others))
        if words:
            whole = Segment(span=Span(0, at), text="…", words=tuple(words), channel=channel if tracks > 1 else None)
            segments += regroup([whole])
        if draw(st.booleans()):
            segments.append(Segment(span=Span(at, at + 500), text="bare", speaker=draw(labels)))
    spans = [(word.span, word.speaker) for part in segments for word in part.words if word.speaker]
    turns = tuple(sorted(SpeakerTurn(span, speaker) for span, speaker in spans)) if draw(st.booleans()) else ()
    facts = MediaFacts(container="wav", codec="pcm", sample_rate=1, channels=tracks, declared=None, decoded=60_000)
    return Transcript(
        task_id="t", revision=1, language="en", model="m", media=facts, turns=turns,
        segments=tuple(sorted(segments, key=lambda segment: segment.span)),
    )  # fmt: skip


spans = st.builds(lambda start, length: Span(start, start + length), st.integers(0, 9_000), st.integers(0, 5_000))
changes = st.one_of(
    st.builds(lambda a, n: Change(kind=EditKind.RENAME, speaker=a, name=n), labels, st.none() | st.text(min_size=1)),
    st.builds(lambda a, b: Change(kind=EditKind.MERGE, speaker=a, into=b), labels, labels),
    st.builds(
        lambda a, s, c: Change(kind=EditKind.REASSIGN, into=a, span=s, channel=c),
        labels, spans, st.none() | st.integers(0, 1),
    ),
    st.builds(Change, kind=st.sampled_from(EditKind)),
)  # fmt: skip


def numbered(made: list[Change], revision: int = 1) -> list[Edit]:
    return [Edit(seq=at, revision=revision, change=change, created_at=NOW) for at, change in enumerate(made, start=1)]


edits = st.lists(changes, max_size=6).map(numbered)


def spoken(transcript: Transcript) -> list[tuple[Span, str, int | None]]:
    return [(word.span, word.text, part.channel) for part in transcript.segments for word in part.words]


@given(transcripts(), edits, st.data())
def test_what_was_undone_leaves_no_trace(transcript: Transcript, made: list[Edit], data: st.DataObject) -> None:
    undone = data.draw(st.sets(st.sampled_from([edit.seq for edit in made]))) if made else set()
    taken_back = [replace(edit, undone_at=NOW) if edit.seq in undone else edit for edit in made]
    assert apply(transcript, taken_back) == apply(transcript, [edit for edit in made if edit.seq not in undone])
    assert apply(transcript, [replace(edit, undone_at=NOW) for edit in made]).shown == transcript


@given(transcripts(), edits)
def test_no_word_is_lost_moved_or_put_elsewhere(transcript: Transcript, made: list[Edit]) -> None:
    edited = apply(transcript, made)
    assert spoken(edited.shown) == spoken(transcript)
    for segment in edited.transcript.segments:
        assert {word.speaker for word in segment.words} <= {segment.speaker}
    assert [part.text for part in edited.shown.segments if not part.words] == [
        part.text for part in transcript.segments if not part.words
    ]
    assert set(edited.not_applied) <= {edit.seq for edit in made}


@given(transcripts(), edits)
def test_turns_lie_where_they_lay_and_none_overlaps_its_own(transcript: Transcript, made: list[Edit]) -> None:
    edited = apply(transcript, made).transcript
    if not transcript.turns:
        assert edited.turns == ()
    assert list(edited.turns) == sorted(edited.turns)
    assert all(turn.span.duration for turn in edited.turns)


def a_talk(*told: str, revision: int = 1) -> Transcript:
    """One word a second, by these speakers."""
    words = [
        Word(span=Span(1000 * at, 1000 * at + 900), text=f"word{at}", speaker=speaker)
        for at, speaker in enumerate(told)
    ]
    whole = Segment(span=Span(0, 1000 * len(told)), text="", words=tuple(words))
    facts = MediaFacts(container="wav", codec="pcm", sample_rate=1, channels=1, declared=None, decoded=1000 * len(told))
    turns = exclusive_turns(SpeakerTurn(Span(1000 * at, 1000 * at + 1000), who) for at, who in enumerate(told))
    return Transcript(
        task_id="t", revision=revision, language="en", model="m", media=facts, segments=regroup([whole]), turns=turns
    )


def who(transcript: Transcript) -> list[str | None]:
    return [word.speaker for word in transcript.words]


def test_a_name_is_shown_everywhere_and_taken_away_again() -> None:
    talk = a_talk("spk_1", "spk_2", "spk_1")
    named = apply(talk, numbered([Change(kind=EditKind.RENAME, speaker="spk_1", name="Ann")])).shown
    assert who(named) == ["Ann", "spk_2", "Ann"]
    assert {turn.speaker for turn in named.turns} == {"Ann", "spk_2"}
    back = [Change(kind=EditKind.RENAME, speaker="spk_1", name=name) for name in ("Ann", None)]
    assert apply(talk, numbered(back)).shown == talk


def test_a_merged_speaker_is_gone_and_later_edits_say_so() -> None:
    talk = a_talk("spk_1", "spk_2", "spk_3")
    made = [
        Change(kind=EditKind.MERGE, speaker="spk_3", into="spk_1"),
        Change(kind=EditKind.RENAME, speaker="spk_3", name="Cy"),
        Change(kind=EditKind.MERGE, speaker="spk_2", into="spk_3"),
    ]
    edited = apply(talk, numbered(made))
    assert who(edited.transcript) == ["spk_1", "spk_2", "spk_1"]
    assert set(edited.not_applied) == {2, 3}
    assert edited.names == {}


def test_reassigned_words_cut_the_segment_and_move_their_time() -> None:
    talk = a_talk("spk_1", "spk_1", "spk_1", "spk_1")
    change = Change(kind=EditKind.REASSIGN, into="guest", span=Span(1000, 2999))
    edited = apply(talk, numbered([change])).transcript
    assert who(edited) == ["spk_1", "guest", "guest", "spk_1"]
    assert [segment.speaker for segment in edited.segments] == ["spk_1", "guest", "spk_1"]
    assert [(turn.span.start, turn.span.end, turn.speaker) for turn in edited.turns] == [
        (0, 1000, "spk_1"), (1000, 2900, "guest"), (2900, 4000, "spk_1"),
    ]  # fmt: skip
    assert speakers(edited) == ("spk_1", "guest")


def test_speakers_are_mapped_by_the_time_of_their_words_one_to_one() -> None:
    before = a_talk("spk_1", "spk_1", "spk_1", "spk_2", "spk_2", "spk_3")
    after = a_talk("spk_1", "spk_2", "spk_2", "spk_1", "spk_1", "spk_1", revision=2)
    # spk_1 is mostly spk_2 there; spk_2 and spk_3 have both become spk_1, and spk_2 has more of it.
    assert mapping(before, after) == {"spk_1": "spk_2", "spk_2": "spk_1"}
    made = [
        Change(kind=EditKind.RENAME, speaker="spk_1", name="Ann"),
        Change(kind=EditKind.RENAME, speaker="spk_3", name="Cy"),
        Change(kind=EditKind.REASSIGN, into="guest", span=Span(0, 1)),
    ]
    edited = apply(after, numbered(made), {1: mapping(before, after)})
    assert who(edited.shown) == ["guest", "Ann", "Ann", "spk_1", "spk_1", "spk_1"]
    assert list(edited.not_applied) == [2]
    assert "spk_3" in edited.not_applied[2]


def test_edits_of_a_revision_that_is_gone_are_told() -> None:
    made = numbered([Change(kind=EditKind.RENAME, speaker="spk_1", name="Ann")], revision=7)
    edited = apply(a_talk("spk_1"), made)
    assert edited.shown == a_talk("spk_1")
    assert "revision 7" in edited.not_applied[1]


@given(transcripts(), transcripts())
def test_a_mapping_is_one_to_one_between_labels_that_exist(before: Transcript, after: Transcript) -> None:
    found = mapping(before, after)
    assert len(set(found.values())) == len(found)
    assert set(found) <= set(speakers(before))
    assert set(found.values()) <= set(speakers(after))
    same = mapping(before, before)
    worded = {word.speaker for word in before.words if word.speaker}
    assert {label: there for label, there in same.items() if label in worded} == {label: label for label in worded}
