"""What a task makes a transcript of, as one digest: equal digests mean the same recording with the same options."""

import hashlib
from dataclasses import fields

from domain.options import TranscriptionOptions


def content_digest(options: TranscriptionOptions, recording: str) -> str:
    """Return a digest of the recording, told by its own digest or id, and the options that are not at their defaults.

    >>> plain = TranscriptionOptions()
    >>> content_digest(plain, "ab") == content_digest(TranscriptionOptions(language="auto"), "ab")
    True
    >>> content_digest(plain, "ab") == content_digest(TranscriptionOptions(language="en"), "ab")
    False
    """
    plain = TranscriptionOptions()
    named = [(each.name, getattr(options, each.name)) for each in fields(options)]
    asked = [(name, str(value)) for name, value in named if value != getattr(plain, name)]
    return hashlib.sha256(repr((recording, sorted(asked))).encode()).hexdigest()
