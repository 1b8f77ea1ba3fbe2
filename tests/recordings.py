"""Long recordings made from the short one in the repository: the same speech again and again, as WAV on disk."""

import tempfile
import wave
from pathlib import Path

from adapters.media.av import AvDecoder
from domain.media import SAMPLE_RATE, DecodeLimits

CONVERSATION = Path(__file__).parent / "data" / "conversation.flac"


def looped(target: Path, seconds: int, source: Path = CONVERSATION) -> Path:
    """Write `seconds` of the source's speech, looped, as 16 kHz mono 16-bit WAV; in pieces, whatever the length."""
    with tempfile.TemporaryDirectory() as folder:
        limits = DecodeLimits(max_duration=600_000, max_memory=1 << 30, max_seconds=60.0)
        media = AvDecoder().decode(source, Path(folder), limits, lambda _: None)
        speech = Path(media.mix.path).read_bytes()
    with wave.open(str(target), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        left = seconds * SAMPLE_RATE * 2
        while left > 0:
            file.writeframesraw(speech[:left])
            left -= min(left, len(speech))
    return target
