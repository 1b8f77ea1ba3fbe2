"""Strategies for spans, turns, words and transcripts, from the likely to the hostile."""

import random

from hypothesis import strategies as st

from domain.media import MediaFacts
from domain.span import Span
from domain.speaker import SpeakerTurn
from domain.stage import Notice, Stage, StageName, StageStatus
from domain.transcript import Quality, Segment, Timing, Transcript, Word, join_words

LABELS = ("anna", "bert", "cleo")
LATEST = 20_000

instants = st.integers(0, LATEST)


@st.composite
def spans(draw: st.DrawFn, least: int = 0) -> Span:
    start = draw(instants)
    return Span(start, start + draw(st.integers(least, 3_000)))


turns = st.lists(st.builds(SpeakerTurn, spans(least=1), st.sampled_from(LABELS)), max_size=8).map(
    lambda made: tuple(sorted(made))
)

texts = st.sampled_from(["so", "well,", "yes.", "really?", "你", "好。", "Dr.", "hippopotamuses", "3.5"])
HOSTILE = (
    "<script>alert(1)</script>", "-->", "00:00:01,000 --> 00:00:02,000", "\n\n2\n", "a\tb", "=cmd()", "\x1b[31mred",
    "\u202egnp.exe", "&amp;", "<v spk_9>", "{\\an8}", "NOTE x", "WEBVTT", "1", "\\N", "\ufeff", "\x00", "\r\n",
    "\u2028", "<NA>", ";;", '"quoted', "</v>", "<i>", "STYLE", "<00:00:01.000>",
)  # fmt: skip
hostile_texts = st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1, max_size=12))


def words(text: st.SearchStrategy[str] = texts, speakers: tuple[str | None, ...] = (None,)) -> st.SearchStrategy[Word]:
    return st.builds(
        Word,
        span=spans(),
        text=text,
        confidence=st.none() | st.floats(0, 1),
        speaker=st.sampled_from(speakers),
        glued=st.booleans(),
        timing=st.sampled_from(Timing),
    )


@st.composite
def talks(draw: st.DrawFn, text: st.SearchStrategy[str] = texts, most: int = 25) -> tuple[Word, ...]:
    """Words as a recogniser gives them: one after the other, mostly with small gaps."""
    at, said = draw(st.integers(0, 2_000)), []
    for _ in range(draw(st.integers(0, most))):
        at += draw(st.sampled_from([0, 20, 60, 300, 900, 2_500]))
        lasts = draw(st.integers(0, 700))
        said.append(Word(span=Span(at, at + lasts), text=draw(text)))
        at += lasts
    return tuple(said)


@st.composite
def segments(
    draw: st.DrawFn, text: st.SearchStrategy[str] = texts, speakers: tuple[str | None, ...] = (None, *LABELS)
) -> tuple[Segment, ...]:
    """Segments in order; some of them have no words, some share their time with others."""
    made = []
    for _ in range(draw(st.integers(0, 5))):
        said = draw(talks(text, most=12))
        speaker = draw(st.sampled_from(speakers))
        whole = Span(said[0].span.start, max(word.span.end for word in said)) if said else draw(spans())
        made.append(
            Segment(
                span=whole,
                text=join_words(said) if said else draw(text),
                words=tuple(Word(span=word.span, text=word.text, speaker=speaker) for word in said),
                speaker=speaker,
                language=draw(st.sampled_from([None, "en", "de"])),
                channel=draw(st.sampled_from([None, 0, 1])),
                quality=draw(st.none() | st.builds(Quality, average_log_probability=st.floats(-3, 0))),
            )
        )
    return tuple(made)


def transcripts(
    text: st.SearchStrategy[str] = texts, speakers: tuple[str | None, ...] = (None, *LABELS)
) -> st.SearchStrategy[Transcript]:
    return st.builds(a_transcript, segments(text, speakers), turns)


def a_transcript(said: tuple[Segment, ...] = (), held: tuple[SpeakerTurn, ...] = ()) -> Transcript:
    return Transcript(
        task_id="0190a5c4-7e2b-7c3d-8e4f-5a6b7c8d9e0f",
        revision=1,
        language="en",
        model="tiny",
        media=MediaFacts(
            container="wav", codec="pcm_s16le", sample_rate=8_000, channels=1, declared=None, decoded=LATEST
        ),
        segments=said,
        turns=held,
        stages=(Stage(name=StageName.DECODE, status=StageStatus.RAN, engine="wav/pcm_s16le", seconds=0.25),),
        warnings=(Notice("truncated_input", "30 s were declared, 20 s are there"),),
        processing_ms=1_500,
    )


def halved(held: tuple[SpeakerTurn, ...], seed: int) -> tuple[SpeakerTurn, ...]:
    """The same turns, each cut in two at a random place."""
    at = random.Random(seed).randint
    pieces: list[SpeakerTurn] = []
    for turn in held:
        cut = at(turn.span.start, turn.span.end)
        pieces += (
            SpeakerTurn(part, turn.speaker)
            for part in (Span(turn.span.start, cut), Span(cut, turn.span.end))
            if part.duration
        )
    return tuple(sorted(pieces))


def shifted(held: tuple[SpeakerTurn, ...], by: int) -> tuple[SpeakerTurn, ...]:
    return tuple(SpeakerTurn(turn.span.shift(by), turn.speaker) for turn in held)
