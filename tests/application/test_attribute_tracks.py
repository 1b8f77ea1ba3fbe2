from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from application.attribute_tracks import Heard, attribute_tracks
from domain.span import Span
from domain.speaker import Diarization, SpeakerTurn, channel_label, exclusive_turns
from domain.stage import StageName, StageStatus
from domain.transcript import Recognition, Segment, Timing, Word, join_words
from tests.domain.speech import spans, turns, words

Turns = tuple[SpeakerTurn, ...]

any_segments = st.lists(
    st.builds(
        lambda span, said: Segment(span=span, text=join_words(said) or "so", words=tuple(said)),
        spans(),
        st.lists(words(), max_size=8),
    ),
    max_size=4,
)


def heard_in(*tracks: list[Segment], talk: Turns | None = None) -> Heard:
    return Heard(
        recognitions=[[Recognition(segments=tuple(track), language="en")] for track in tracks],
        diarization=None if talk is None else Diarization(turns=talk, exclusive=exclusive_turns(talk)),
        split=len(tracks) > 1,
        stages=(),
    )


@given(any_segments, st.none() | turns)
def test_whatever_an_engine_gave_words_are_in_order_and_inside(heard: list[Segment], talk: Turns | None) -> None:
    (track,) = attribute_tracks(heard_in(heard, talk=talk), asked=True).tracks
    assert [word.text for part in track for word in part.words] == [word.text for one in heard for word in one.words]
    found = iter([word for part in track for word in part.words])
    for segment in heard:
        timed = [next(found) for _ in segment.words]
        assert all(word.span.clamp(segment.span) == word.span for word in timed)
        assert all(word.span.start <= later.span.start for word, later in pairwise(timed))
    assert all(word.span.clamp(part.span) == word.span for part in track for word in part.words)


def test_words_without_times_are_interpolated_and_marked() -> None:
    said = tuple(
        Word(span=span, text=text)
        for span, text in ((Span(1000, 1200), "in"), (Span(0, 0), "1984"), (Span(1600, 1900), "it"))
    )
    (track,) = attribute_tracks(heard_in([Segment(span=Span(1000, 2000), text="", words=said)]), asked=False).tracks
    assert [(word.span, word.timing) for part in track for word in part.words] == [
        (Span(1000, 1200), Timing.ALIGNED), (Span(1200, 1600), Timing.INTERPOLATED), (Span(1600, 1900), Timing.ALIGNED),
    ]  # fmt: skip


def test_the_words_of_a_channel_are_its_partys_beyond_doubt() -> None:
    said = [Segment(span=Span(0, 1000), text="yes", words=(Word(span=Span(0, 1000), text="yes"),))]
    talk = tuple(SpeakerTurn(Span(0, 1000), channel_label(channel)) for channel in (0, 1))
    for number, (segment,) in enumerate(attribute_tracks(heard_in(said, said, talk=talk), asked=True).tracks):
        assert (segment.speaker, segment.channel) == (channel_label(number), number)
        assert [(word.speaker, word.alternatives) for word in segment.words] == [(channel_label(number), ())]


def test_the_stage_says_whether_there_were_turns_and_is_absent_where_nobody_asked() -> None:
    (ran,) = attribute_tracks(heard_in([], talk=()), asked=True).stages
    (skipped,) = attribute_tracks(heard_in([]), asked=True).stages
    assert (ran.name, ran.status, skipped.status) == (StageName.ATTRIBUTION, StageStatus.RAN, StageStatus.SKIPPED)
    assert skipped.reason
    assert attribute_tracks(heard_in([]), asked=False).stages == ()
