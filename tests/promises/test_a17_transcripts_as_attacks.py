"""A-17: whatever is said and however a speaker is called, every export keeps its structure and carries no control."""

import csv
import html
import io
import json
import re
import unicodedata

import pysubs2
import pytest
import webvtt
from hypothesis import given
from hypothesis import strategies as st

from application.rendering.plain import clock
from application.rendering.registry import FORMATS
from domain.cues import cues
from domain.transcript import Transcript
from tests.domain.speech import HOSTILE, hostile_texts, transcripts

names = st.sampled_from(HOSTILE) | st.text(max_size=12)
called = st.fixed_dictionaries({"anna": names, "bert": names})
attacks = transcripts(hostile_texts, speakers=(None, "anna", "bert"))
LOOKALIKES = str.maketrans("\u2039\u203a\u2774\u2775\u201a", "<>{},")


def written(format: str, transcript: Transcript, names: dict[str, str]) -> str:
    return FORMATS[format].render(transcript, names).decode()


def visible(text: str) -> str:
    """What a reader could see of a text, without spaces."""
    return "".join(char for char in text if unicodedata.category(char) not in {"Cc", "Cf"} and not char.isspace())


def alike(text: str) -> str:
    """A text without what SRT cannot tell apart: pysubs2 reads `\\N` as a line break."""
    return text.translate(LOOKALIKES).replace("\\N", "").replace(",", ".")


def shown(transcript: Transcript) -> list[tuple[int, int, str]]:
    """The cues that have anything to see: start and end in ms, and their text."""
    texts = [(cue.span, visible("".join(cue.lines))) for cue in cues(transcript.segments)]
    return [(span.start, span.end, text) for span, text in texts if text]


@given(attacks, called)
def test_a17_srt_keeps_its_cues(transcript: Transcript, names: dict[str, str]) -> None:
    text = written("srt", transcript, names)
    parsed = pysubs2.SSAFile.from_string(text, format_="srt")
    cues_read = [(event.start, event.end, visible(event.text)) for event in parsed]
    expected = shown(transcript.renamed(names))
    assert [times for *times, _ in cues_read] == [times for *times, _ in expected]
    for (*_, read), (*_, said) in zip(cues_read, expected, strict=True):
        assert alike(read).endswith(alike(said))
    assert not set("<{}") & set(text)


@given(attacks, called)
def test_a17_vtt_keeps_its_cues(transcript: Transcript, names: dict[str, str]) -> None:
    text = written("vtt", transcript, names)
    parsed = webvtt.from_string(text)
    assert [(caption.start, caption.end, visible(html.unescape(caption.text))) for caption in parsed.captions] == [
        (clock(start), clock(end), said) for start, end, said in shown(transcript.renamed(names))
    ]
    assert set(re.findall(r"<[^>]*", text)) <= {f"<v {voice}" for voice in re.findall(r"<v ([^>]*)>", text)}
    assert text.count("-->") == len(parsed.captions)


@given(attacks, called)
def test_a17_tsv_keeps_its_rows_and_runs_nothing(transcript: Transcript, names: dict[str, str]) -> None:
    text = written("tsv", transcript, names)
    header, *rows = csv.reader(io.StringIO(text), delimiter="\t")
    assert [len(row) for row in rows] == [len(header)] * len(transcript.segments)
    assert [(row[0], row[1]) for row in rows] == [
        (str(segment.span.start), str(segment.span.end)) for segment in transcript.segments
    ]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)


@given(attacks, called)
def test_a17_rttm_keeps_its_fields(transcript: Transcript, names: dict[str, str]) -> None:
    rows = [line.split(" ") for line in written("rttm", transcript, names).splitlines()]
    assert [len(row) for row in rows] == [10] * len(transcript.turns)
    onsets = [float(row[3]) for row in rows]
    assert onsets == sorted(turn.span.start / 1000 for turn in transcript.turns)
    assert not {"", "<NA>"} & {row[7] for row in rows}


@given(attacks, called)
def test_a17_text_keeps_its_paragraphs(transcript: Transcript, names: dict[str, str]) -> None:
    text = written("text", transcript, names)
    if any(segment.speaker for segment in transcript.segments):
        assert all(
            re.match(r"\[\d\d:\d\d:\d\d\] \S", paragraph) for paragraph in text.strip("\n").split("\n\n") if text
        )
    assert all(len(paragraph.splitlines()) <= 1 for paragraph in text.split("\n"))


@given(attacks, called)
def test_a17_json_is_exact(transcript: Transcript, names: dict[str, str]) -> None:
    result = json.loads(written("json", transcript, names))
    renamed = transcript.renamed(names)
    assert [segment["text"] for segment in result["segments"]] == [segment.text for segment in renamed.segments]
    assert [segment["speaker"] for segment in result["segments"]] == [segment.speaker for segment in renamed.segments]


@pytest.mark.parametrize("format", [name for name in FORMATS if name != "json"])
@given(transcript=attacks, names=called)
def test_a17_no_control_reaches_a_terminal(format: str, transcript: Transcript, names: dict[str, str]) -> None:
    text = written(format, transcript, names)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]", text)
    assert format == "tsv" or "\t" not in text
