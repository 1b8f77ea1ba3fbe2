"""OpenAI's shapes, to the letter."""

import json
from dataclasses import replace

from application.rendering import openai
from domain.options import Goal
from domain.span import Span
from domain.transcript import Quality, Segment, Word
from tests.domain.speech import a_transcript
from tests.rendering.test_formats import CALL, a_segment


def test_speakers_are_letters_in_order_of_their_first_word() -> None:
    many = a_transcript(tuple(a_segment(f"spk_{number}", (number, number + 1, "x")) for number in range(30, 0, -1)))
    letters = openai.speaker_letters(many)
    assert [letters[f"spk_{number}"] for number in (30, 29, 5, 4, 1)] == ["A", "B", "Z", "AA", "AD"]


def test_diarized_json() -> None:
    shape = json.loads(openai.diarized(CALL, goal=Goal.TRANSCRIBE))
    assert shape["task"] == "transcribe"
    assert shape["text"] == "Hello, Anna. Hello! Who's there? Me. Bye."
    assert shape["segments"][:2] == [
        {"type": "transcript.text.segment", "id": "seg_0", "start": 0.12, "end": 1.4, "speaker": "A",
         "text": "Hello, Anna."},
        {"type": "transcript.text.segment", "id": "seg_1", "start": 1.5, "end": 2.6, "speaker": "B", "text": "Hello!"},
    ]  # fmt: skip
    assert shape["segments"][3]["speaker"] == "", "nobody found who that was"


def test_verbose_json() -> None:
    heard = Quality(average_log_probability=-0.25, no_speech_probability=0.01, compression_ratio=1.5)
    call = replace(CALL, segments=(replace(CALL.segments[0], quality=heard), *CALL.segments[1:]))
    shape = json.loads(openai.verbose(call, goal=Goal.TRANSLATE, words=True, segments=True))
    assert (shape["task"], shape["language"]) == ("translate", "english")
    assert shape["words"][0] == {"word": "Hello,", "start": 0.12, "end": 0.48}
    assert [word["word"] for word in shape["words"]] == shape["text"].split()
    assert shape["segments"][0] == {
        "id": 0, "seek": 12, "start": 0.12, "end": 1.4, "text": " Hello, Anna.", "tokens": [], "temperature": 0.0,
        "avg_logprob": -0.25, "compression_ratio": 1.5, "no_speech_prob": 0.01, "speaker": "A",
    }  # fmt: skip
    assert "speaker" not in shape["segments"][3]
    brief = json.loads(openai.verbose(CALL, goal=Goal.TRANSCRIBE, words=False, segments=False))
    assert not {"words", "segments"} & brief.keys()


def test_languages_without_spaces_get_none() -> None:
    words = tuple(Word(span=Span(at, at + 1), text=text, glued=True) for at, text in ((0, "你"), (1, "好")))
    said = tuple(Segment(span=word.span, text=word.text, words=(word,), language="zh") for word in words)
    assert openai.flowing(a_transcript(said)) == "你好"
