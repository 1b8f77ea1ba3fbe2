"""Transcripts as bytes, for keeping; not a format for callers: that is `json`."""

from dataclasses import replace

import msgspec

from domain.transcript import Segment, Transcript

_encoder = msgspec.json.Encoder()
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_parts = msgspec.json.Decoder(tuple[msgspec.Raw, ...])
_segment = msgspec.json.Decoder(Segment)
_transcript = msgspec.json.Decoder(Transcript)


def encode_transcript(transcript: Transcript) -> bytes:
    """Return the transcript as JSON, nothing lost."""
    return _encoder.encode(transcript)


def decode_transcript(data: bytes) -> Transcript:
    """Return the transcript that `encode_transcript` wrote; fields added since take their defaults.

    Segment by segment: one call for eight hours would hold the interpreter's lock for half a second, in any thread.

    Raises:
        msgspec.DecodeError: the bytes are no transcript.
    """
    fields = _fields.decode(data)
    segments = tuple(_segment.decode(part) for part in _parts.decode(fields.get("segments", msgspec.Raw(b"null"))))
    return replace(_transcript.decode(_encoder.encode({**fields, "segments": ()})), segments=segments)
