"""References as they lie about: each format read, and what is taken from which."""

import pytest

from application.references import KINDS, merge, read
from application.rendering.registry import FORMATS
from domain.errors import InvalidOptions
from domain.scoring import Line, Reference
from domain.span import Span
from domain.speaker import SpeakerTurn
from tests.contracts.scoring import SAID, transcript

STM = """;; a comment
call 1 ann 0.00 2.00 <o,f0,female> Good morning, Bob!
call 1 bob 2.000 4.0 Hello Ann.
other 1 eve 0 1 Somebody else.
call A inter_segment_gap 4.0 5.0
call 1 ann 5.0 6.0 IGNORE_TIME_SEGMENT_IN_SCORING
"""
RTTM = """SPKR-INFO call 1 <NA> <NA> <NA> unknown ann <NA> <NA>
SPEAKER call 1 2.5 1.25 <NA> <NA> bob <NA> <NA>
SPEAKER call 1 0.5 1.000 <NA> <NA> ann <NA> <NA>
SPEAKER other 1 0 1 <NA> <NA> eve <NA> <NA>
"""
LINES = (
    Line(text="Good morning, Bob!", span=Span(0, 2_000), speaker="ann"),
    Line(text="Hello Ann.", span=Span(2_000, 4_000), speaker="bob"),
)


def test_stm() -> None:
    assert read(STM, "stm").about("call") == Reference(lines=LINES)


def test_rttm() -> None:
    turns = (SpeakerTurn(Span(500, 1_500), "ann"), SpeakerTurn(Span(2_500, 3_750), "bob"))
    assert read(RTTM, "rttm").about("call") == Reference(turns=turns)
    assert read(RTTM, "rttm").about("unheard-of") == Reference(), "it names two others"


def test_text() -> None:
    assert read("Good morning.\nHello.\n", "txt").about("call").lines == (Line(text="Good morning.\nHello.\n"),)


@pytest.mark.parametrize("format", ["srt", "vtt", "json"])
def test_what_we_write_we_can_read(format: str) -> None:
    written = FORMATS[format].render(transcript(*SAID)).decode()
    found = read(written, format).about("anything")
    assert [(line.speaker, " ".join(line.text.split())) for line in found.lines] == [
        (who, text) for who, _, _, text in SAID
    ]
    assert [line.span and line.span.start for line in found.lines] == [0, 2_000, 4_000]
    if format == "json":
        assert found.turns == tuple(SpeakerTurn(Span(start, end), who) for who, start, end, _ in SAID)


def test_subtitles_of_others() -> None:
    vtt = (
        "\ufeffWEBVTT\r\n\r\nNOTE made by hand\r\n\r\n1\r\n00:01.500 --> 00:03.000 align:start\r\n"
        "<v.loud Ann O&apos;Neil>Fish &amp; <i>chips</i>\r\nfor two</v>\r\n"
    )
    [line] = read(vtt, "vtt").about("").lines
    assert (line.speaker, line.text, line.span) == ("Ann O'Neil", "Fish & chips\nfor two", Span(1_500, 3_000))
    srt = "1\n00:00:01,000 --> 00:00:02,000\nI say it\n\n2\n00:00:02,000 --> 00:00:03,000\nNote: not a name\n"
    assert {line.speaker for line in read(srt, "srt").about("").lines} == {None}


def test_the_first_to_know_is_believed() -> None:
    words, turns = read(STM, "stm").about("call"), read(RTTM, "rttm").about("call")
    assert merge([turns, words]) == Reference(lines=LINES, turns=turns.turns)
    assert merge([words]).turns == (SpeakerTurn(Span(0, 2_000), "ann"), SpeakerTurn(Span(2_000, 4_000), "bob"))
    assert merge([read("Hello", "txt").about("")]).turns == ()
    assert merge([]) == Reference()


@pytest.mark.parametrize(
    ("kind", "text"),
    [("stm", "call 1 ann zero 2 Hello"), ("rttm", "SPEAKER call 1"), ("json", '{"segments": 3}'), ("json", "{")],
)
def test_what_cannot_be_read_is_refused(kind: str, text: str) -> None:
    with pytest.raises(InvalidOptions, match=kind.upper()):
        read(text, kind)


def test_every_kind_reads_nothing_out_of_an_empty_file() -> None:
    for kind in KINDS.keys() - {"json", "txt"}:
        assert read("", kind).about("x") == Reference()
