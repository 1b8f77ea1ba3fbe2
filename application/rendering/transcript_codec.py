"""Transcripts as bytes, for keeping; not a format for callers: that is `json`."""

import msgspec

from domain.transcript import Transcript

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Transcript)


def encode_transcript(transcript: Transcript) -> bytes:
    """Return the transcript as JSON, nothing lost."""
    return _encoder.encode(transcript)


def decode_transcript(data: bytes) -> Transcript:
    """Return the transcript that `encode_transcript` wrote; fields added since take their defaults.

    Raises:
        msgspec.DecodeError: the bytes are no transcript.
    """
    return _decoder.decode(data)
