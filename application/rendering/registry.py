"""The formats a transcript can be had in: names, media types, and the functions that write them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from application.rendering.prose import text
from application.rendering.result import json
from application.rendering.subtitles import srt, vtt
from application.rendering.tabular import rttm, tsv
from domain.transcript import Transcript

_NO_NAMES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write a transcript; `extension` has no dot.

    The server tells the encoding of `text/*`, which is UTF-8, by itself.
    """

    media_type: str
    extension: str
    write: Callable[[Transcript], str]

    def render(self, transcript: Transcript, names: Mapping[str, str] = _NO_NAMES) -> bytes:
        """Write the transcript as UTF-8; `names` replace speaker labels such as `spk_1`."""
        shown = transcript.renamed(dict(names)) if names else transcript
        return self.write(shown).encode("utf-8", "replace")


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "json": Format("application/json", "json", json),
        "text": Format("text/plain", "txt", text),
        "srt": Format("application/x-subrip; charset=utf-8", "srt", srt),
        "vtt": Format("text/vtt", "vtt", vtt),
        "tsv": Format("text/tab-separated-values", "tsv", tsv),
        "rttm": Format("text/plain", "rttm", rttm),
    }
)
"""By name, in the order they are listed to callers."""
