"""U-12: the right bytes under a wrong name are taken for what they are, and the result says what that is."""

from pathlib import Path

import pytest

from adapters.media.av import AvDecoder
from tests.contracts.media_decoder import LIMITS, VOICE, ignore, refused
from tests.media_files import FORMATS, write

# Each format under the name of the one that comes next, and some under names that would make FFmpeg look elsewhere.
NAMES = sorted(FORMATS)
PAIRS = [(name, f"recording.{NAMES[number - 7].partition('-')[0]}") for number, name in enumerate(NAMES)]
LURES = ["a.m3u8", "a.sdp", "a.mpd", "a.txt", "a.png", "a-%03d.png", "a.ffconcat", "recording", ".wav", "a.wav.exe"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("made")
    return {name: write(folder / "made", kind, VOICE.samples).read_bytes() for name, kind in FORMATS.items()}


def found(content: bytes, name: str, tmp_path: Path) -> tuple[str, str]:
    source = tmp_path / name
    source.write_bytes(content)
    facts = AvDecoder().decode(source, tmp_path, LIMITS, ignore).facts
    assert facts.decoded == pytest.approx(3000, abs=100)
    return facts.container, facts.codec


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_u12_a_wrong_name_changes_nothing(kind: str, name: str, made: dict[str, bytes], tmp_path: Path) -> None:
    assert len(PAIRS) >= 30
    assert not name.endswith(f".{kind}")
    assert found(made[kind], name, tmp_path) == FORMATS[kind].found


@pytest.mark.slow
@pytest.mark.parametrize("name", LURES)
def test_u12_nor_does_a_name_that_means_something(name: str, made: dict[str, bytes], tmp_path: Path) -> None:
    assert found(made["flac"], name, tmp_path) == FORMATS["flac"].found


def test_u12_a_right_name_does_not_make_a_recording(tmp_path: Path) -> None:
    assert refused(AvDecoder(), b"not sound" * 1000, tmp_path) == "not_media"
    named = tmp_path / "recording.mp3"
    named.write_bytes(b"not sound" * 1000)
    assert refused(AvDecoder(), named.read_bytes(), tmp_path) == "not_media"
