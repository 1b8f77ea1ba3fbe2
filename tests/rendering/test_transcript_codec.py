import time
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given

from application.rendering.transcript_codec import decode_transcript, encode_transcript
from domain.span import Span
from domain.speaker import SpeakerTurn
from domain.transcript import Segment, Transcript, Word
from tests.domain.speech import a_transcript, hostile_texts, transcripts


@given(transcripts(hostile_texts))
def test_nothing_is_lost(transcript: Transcript) -> None:
    assert decode_transcript(encode_transcript(transcript)) == transcript


def test_eight_hours_are_read_and_written_quickly() -> None:
    words = tuple(Word(span=Span(at * 400, at * 400 + 300), text="word", speaker="spk_1") for at in range(72_000))
    said = tuple(
        Segment(span=Span(at * 400, at * 400 + 3900), text="ten words", words=words[at : at + 10], speaker="spk_1")
        for at in range(0, 72_000, 10)
    )
    held = tuple(SpeakerTurn(Span(at * 3000, at * 3000 + 2900), "spk_1") for at in range(9_600))
    transcript = replace(a_transcript(said, held))
    started = time.process_time()
    assert decode_transcript(encode_transcript(transcript)) == transcript
    assert time.process_time() - started < 2  # a tenth of that on an idle core


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"task_id": 1}'])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_transcript(data)
