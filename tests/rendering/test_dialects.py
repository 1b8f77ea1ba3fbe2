"""The shapes of earlier services and of whisper-asr-webservice, to the letter."""

import json
from dataclasses import replace

import pytest

from application.rendering import asr, dialects
from application.rendering.speaker_names import counted_style, in_style, pyannote_style
from domain.span import Span
from domain.speaker import SpeakerTurn
from domain.transcript import Quality
from tests.domain.speech import a_transcript
from tests.rendering.test_formats import CALL, NO_SPEAKERS, a_segment


def test_speakers_are_numbered_by_their_first_words_and_names_given_by_people_stay() -> None:
    said = tuple(a_segment(label, (at, at + 1, "x")) for at, label in enumerate(("spk_9", "Ann", "spk_2", "spk_9")))
    talk = a_transcript(said, (SpeakerTurn(Span(0, 9), "spk_5"), SpeakerTurn(Span(0, 9), "spk_9")))
    shown = in_style(talk, pyannote_style)
    assert [segment.speaker for segment in shown.segments] == ["SPEAKER_00", "Ann", "SPEAKER_02", "SPEAKER_00"]
    assert [turn.speaker for turn in shown.turns] == ["SPEAKER_03", "SPEAKER_00"]
    assert next(word.speaker for word in in_style(talk, counted_style).words) == "Speaker_01"
    assert in_style(NO_SPEAKERS, pyannote_style) == NO_SPEAKERS


def test_the_report_of_the_diarizer() -> None:
    report = dialects.report(CALL)
    assert report["transcript"] == (
        "Speaker_01 [0.12s - 1.40s]: Hello, Anna.\n"
        "Speaker_02 [1.50s - 2.60s]: Hello!\n"
        "Speaker_02 [2.70s - 5.00s]: Who's there?\n"
        "unknown [7.00s - 8.20s]: Me.\n"
        "Speaker_01 [3600.00s - 3601.50s]: Bye."
    )
    assert report["speakers"] == {
        "Speaker_01": {"total_duration": 2.5, "percentage": 12.5, "segment_count": 2, "word_count": 3},
        "Speaker_02": {"total_duration": 3.65, "percentage": 18.2, "segment_count": 2, "word_count": 3},
    }
    assert report["segments"][1] == {"speaker": "Speaker_02", "start": 1.5, "end": 2.6, "text": "Hello!"}
    assert (report["processing_time"], report["audio_duration"], report["total_speakers"]) == (1.5, 20.0, 2)


def test_a_line_of_the_report_stays_one_line() -> None:
    evil = a_transcript((a_segment("Ann\nSpeaker_02 [0.00s - 1.00s]: I", (0, 900, "yes\nSpeaker_02: no")),))
    assert dialects.report(evil)["transcript"].count("\n") == 0


def test_the_whole_of_a_job() -> None:
    whole = dialects.whole(CALL)
    assert whole["text"] == "Hello, Anna. Hello! Who's there? Me. Bye."
    assert (whole["num_speakers"], whole["language"], whole["duration"]) == (2, "en", 20.0)
    assert whole["segments"][3] == {"speaker": None, "start": 7.0, "end": 8.2, "text": "Me."}
    assert dialects.spoken(CALL) == whole["segments"]


def test_the_turns_of_the_platform() -> None:
    result = dialects.diarization(CALL)
    assert result["turns"][1] == {"start": 1.45, "end": 5.1, "speaker": "SPEAKER_01"}
    assert (result["num_speakers"], result["segments"]) == (2, dialects.spoken(CALL))


def test_asr_txt_names_speakers_only_where_there_are_some() -> None:
    assert asr.write(NO_SPEAKERS, "txt", words=False) == b"One.\nTwo.\n"
    assert asr.write(CALL, "txt", words=False).decode().splitlines()[:4] == [
        "[SPEAKER_00]: Hello, Anna.", "[SPEAKER_01]: Hello!", "[SPEAKER_01]: Who's there?", "Me.",
    ]  # fmt: skip


def test_asr_json() -> None:
    heard = Quality(average_log_probability=-0.25, no_speech_probability=0.01, compression_ratio=1.5)
    call = replace(CALL, segments=(replace(CALL.segments[0], quality=heard), *CALL.segments[1:]))
    shape = json.loads(asr.write(call, "json", words=True))
    assert (shape["language"], shape["text"]) == ("en", "Hello, Anna. Hello! Who's there? Me. Bye.")
    assert shape["segments"][0] == {
        "id": 1, "seek": 12, "start": 0.12, "end": 1.4, "text": " Hello, Anna.", "tokens": [], "temperature": 0.0,
        "avg_logprob": -0.25, "compression_ratio": 1.5, "no_speech_prob": 0.01, "speaker": "SPEAKER_00", "words": [
            {"start": 0.12, "end": 0.48, "word": " Hello,", "probability": 0.5, "speaker": "SPEAKER_00"},
            {"start": 0.5, "end": 1.4, "word": " Anna.", "probability": 0.5, "speaker": "SPEAKER_00"},
        ],
    }  # fmt: skip
    assert "speaker" not in shape["segments"][3]
    assert json.loads(asr.write(CALL, "json", words=False))["segments"][0]["words"] is None


@pytest.mark.parametrize("output", ["srt", "vtt", "tsv"])
def test_asr_subtitles_are_ours_under_its_names(output: str) -> None:
    body = asr.write(CALL, output, words=False).decode()
    assert "SPEAKER_01" in body
    assert "spk_" not in body
