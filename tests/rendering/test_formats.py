"""Goldens: what each format looks like, to the letter."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from application.rendering.plain import clock
from application.rendering.registry import FORMATS
from application.rendering.subtitles import SpeakerStyle, srt
from domain.cue_rules import NETFLIX
from domain.span import Span
from domain.speaker import SpeakerTurn
from domain.transcript import Alternative, Move, Segment, Timing, Transcript, Word
from tests.domain.speech import a_transcript


def a_segment(speaker: str | None, *said: tuple[int, int, str]) -> Segment:
    words = tuple(
        Word(span=Span(start, end), text=text, confidence=0.5, speaker=speaker, overlap=start == 1500)
        for start, end, text in said
    )
    text = " ".join(word.text for word in words)
    return Segment(span=Span(said[0][0], said[-1][1]), text=text, words=words, speaker=speaker, language="en")


CALL = a_transcript(
    (
        a_segment("spk_1", (120, 480, "Hello,"), (500, 1400, "Anna.")),
        a_segment("spk_2", (1500, 2600, "Hello!")),
        a_segment("spk_2", (2700, 4000, "Who's"), (4000, 5001, "there?")),
        a_segment(None, (7000, 8200, "Me.")),
        a_segment("spk_1", (3_600_000, 3_601_500, "Bye.")),
    ),
    (
        SpeakerTurn(Span(100, 1600), "spk_1"),
        SpeakerTurn(Span(1450, 5100), "spk_2"),
        SpeakerTurn(Span(3_600_000, 3_601_000), "spk_1"),
    ),
)
NO_SPEAKERS = a_transcript((a_segment(None, (0, 900, "One.")), a_segment(None, (1000, 2000, "Two."))))


def rendered(format: str, transcript: Transcript = CALL) -> str:
    return FORMATS[format].render(transcript).decode()


def test_srt() -> None:
    assert rendered("srt") == (
        "1\n00:00:00,120 --> 00:00:01,400\nspk_1: Hello, Anna.\n\n"
        "2\n00:00:01,500 --> 00:00:02,600\nspk_2: Hello!\n\n"
        "3\n00:00:02,700 --> 00:00:05,001\nWho's there?\n\n"
        "4\n00:00:07,000 --> 00:00:08,200\nunknown: Me.\n\n"
        "5\n01:00:00,000 --> 01:00:01,500\nspk_1: Bye.\n"
    )


@pytest.mark.parametrize(
    ("style", "starts"),
    [
        ("always", ["spk_1: ", "spk_2: ", "spk_2: ", "unknown: ", "spk_1: "]),
        ("on_change", ["spk_1: ", "spk_2: ", "", "unknown: ", "spk_1: "]),
        ("never", [""] * 5),
    ],
)
def test_srt_names_speakers_as_asked(style: SpeakerStyle, starts: list[str]) -> None:
    texts = ["Hello, Anna.", "Hello!", "Who's there?", "Me.", "Bye."]
    blocks = srt(CALL, rules=NETFLIX, speakers=style).strip().split("\n\n")
    assert [block.split("\n")[2] for block in blocks] == [
        start + text for start, text in zip(starts, texts, strict=True)
    ]


def test_vtt() -> None:
    assert rendered("vtt") == (
        "WEBVTT\n\n"
        "00:00:00.120 --> 00:00:01.400\n<v spk_1>Hello, Anna.\n\n"
        "00:00:01.500 --> 00:00:02.600\n<v spk_2>Hello!\n\n"
        "00:00:02.700 --> 00:00:05.001\n<v spk_2>Who's there?\n\n"
        "00:00:07.000 --> 00:00:08.200\nMe.\n\n"
        "01:00:00.000 --> 01:00:01.500\n<v spk_1>Bye.\n"
    )


def test_tsv() -> None:
    assert rendered("tsv") == (
        "start\tend\ttext\tspeaker\n"
        "120\t1400\tHello, Anna.\tspk_1\n"
        "1500\t2600\tHello!\tspk_2\n"
        "2700\t5001\tWho's there?\tspk_2\n"
        "7000\t8200\tMe.\tunknown\n"
        "3600000\t3601500\tBye.\tspk_1\n"
    )
    assert rendered("tsv", NO_SPEAKERS) == "start\tend\ttext\n0\t900\tOne.\n1000\t2000\tTwo.\n"


def test_rttm() -> None:
    task = CALL.task_id
    assert rendered("rttm") == (
        f"SPEAKER {task} 1 0.100 1.500 <NA> <NA> spk_1 <NA> <NA>\n"
        f"SPEAKER {task} 1 1.450 3.650 <NA> <NA> spk_2 <NA> <NA>\n"
        f"SPEAKER {task} 1 3600.000 1.000 <NA> <NA> spk_1 <NA> <NA>\n"
    )
    assert rendered("rttm", NO_SPEAKERS) == ""


def test_text() -> None:
    assert rendered("text") == (
        "[00:00:00] spk_1: Hello, Anna.\n\n"
        "[00:00:01] spk_2: Hello! Who's there?\n\n"
        "[00:00:07] unknown: Me.\n\n"
        "[01:00:00] spk_1: Bye.\n"
    )
    assert rendered("text", NO_SPEAKERS) == "One.\nTwo.\n"


def test_json() -> None:
    result = json.loads(rendered("json"))
    assert list(result) == [
        "task_id", "revision", "status", "language", "language_probability", "model", "duration", "media", "segments",
        "full_text", "processing_time", "speakers", "turns", "suspect_spans", "uncovered_speech", "moves", "stages",
        "warnings",
    ]  # fmt: skip
    assert result["status"] == "done"
    assert result["full_text"] == "Hello, Anna. Hello! Who's there? Me. Bye."
    assert (result["duration"], result["processing_time"]) == (20.0, 1.5)
    assert result["segments"][1] == {
        "start": 1.5, "end": 2.6, "speaker": "spk_2", "text": "Hello!", "language": "en", "channel": None,
        "quality": None, "words": [
            {
                "text": "Hello!", "start": 1.5, "end": 2.6, "confidence": 0.5, "speaker": "spk_2", "overlap": True,
                "timing": str(Timing.ALIGNED), "alternatives": [],
            }
        ],
    }  # fmt: skip
    assert result["segments"][3]["speaker"] is None
    assert result["speakers"]["spk_2"] == {
        "talk_time": 3.65, "share": 0.5935, "turns": 1, "segments": 2, "words": 3, "words_per_minute": 49.3,
        "overlap_time": 0.15, "longest_turn": 3.65, "interruptions": 1,
    }  # fmt: skip
    assert result["turns"][1] == {"start": 1.45, "end": 5.1, "speaker": "spk_2"}
    assert result["stages"] == [
        {
            "name": "decode", "status": "ran", "engine": "wav/pcm_s16le", "model": "", "device": "", "seconds": 0.25,
            "reason": "",
        }
    ]  # fmt: skip
    assert result["warnings"] == [{"code": "truncated_input", "detail": "30 s were declared, 20 s are there"}]
    assert result["media"]["declared_duration"] is None


def test_json_names_the_other_speakers_of_doubtful_words_and_every_move_under_their_new_names() -> None:
    doubtful = Word(
        span=Span(0, 400), text="Yes.", speaker="spk_1", alternatives=(Alternative("spk_2", 0.4), Alternative("x", 0.1))
    )
    said = Segment(span=Span(0, 400), text="Yes.", words=(doubtful,), speaker="spk_1")
    moves = (
        Move(span=Span(0, 400), before="spk_2", after="spk_1", margin=0.25),
        Move(span=Span(500, 900), before=None, after="spk_2", margin=0.12345),
    )
    transcript = replace(a_transcript((said,)), moves=moves)
    result = json.loads(FORMATS["json"].render(transcript, {"spk_1": "Anna", "spk_2": "Bert"}))
    assert result["segments"][0]["words"][0]["alternatives"] == [
        {"speaker": "Bert", "share": 0.4}, {"speaker": "x", "share": 0.1},
    ]  # fmt: skip
    assert result["moves"] == [
        {"start": 0.0, "end": 0.4, "before": "Bert", "after": "Anna", "margin": 0.25},
        {"start": 0.5, "end": 0.9, "before": None, "after": "Bert", "margin": 0.1235},
    ]


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_said_gives_a_valid_empty_file(format: str) -> None:
    empty = rendered(format, a_transcript())
    headers = {"srt": "", "vtt": "WEBVTT\n", "tsv": "start\tend\ttext\n", "rttm": "", "text": ""}
    assert json.loads(empty)["segments"] == [] if format == "json" else empty == headers[format]


@pytest.mark.parametrize("format", FORMATS)
def test_names_replace_labels_in_every_format(format: str) -> None:
    named = FORMATS[format].render(CALL, {"spk_1": "Anna", "spk_2": "Bert"}).decode()
    assert "Anna" in named
    assert "spk_" not in named


@pytest.mark.parametrize("write", [chosen.write for chosen in FORMATS.values()])
def test_writing_changes_nothing(write: Callable[[Transcript], str]) -> None:
    assert write(CALL) == write(CALL)


def test_clocks_carry_and_go_beyond_99_hours() -> None:
    assert clock(59_999) == "00:00:59.999"
    assert clock(360_000_000 + 1, ",") == "100:00:00,001"
