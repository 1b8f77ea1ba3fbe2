import pytest
from hypothesis import given

from domain.errors import InvalidOptions
from domain.options import MAX_HOTWORDS, MAX_PROMPT, MAX_SPEAKERS, TranscriptionOptions
from domain.speaker import SpeakerHints
from tests.strategies import options


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("num_speakers", {"num_speakers": 0}),
        ("num_speakers", {"num_speakers": MAX_SPEAKERS + 1}),
        ("min_speakers", {"min_speakers": -1}),
        ("max_speakers", {"max_speakers": MAX_SPEAKERS + 1}),
        ("num_speakers", {"num_speakers": 2, "min_speakers": 2}),
        ("num_speakers", {"num_speakers": 2, "max_speakers": 2}),
        ("min_speakers", {"min_speakers": 3, "max_speakers": 2}),
        ("diarization", {"diarization": False, "num_speakers": 2}),
        ("language", {"language": "english"}),
        ("language", {"language": ""}),
        ("language", {"language": "en\n"}),
        ("initial_prompt", {"initial_prompt": "x" * (MAX_PROMPT + 1)}),
        ("hotwords", {"hotwords": ("x",) * (MAX_HOTWORDS + 1)}),
    ],
)
def test_what_cannot_be_done_is_refused_by_the_name_of_the_field(field: str, asked: dict[str, object]) -> None:
    with pytest.raises(InvalidOptions, match=field):
        TranscriptionOptions(**asked)  # type: ignore[arg-type] # a table of wrong values


@given(options())
def test_options_without_contradictions_are_taken_and_give_bounds(asked: TranscriptionOptions) -> None:
    least, most = asked.hints.bounds(20)
    assert 1 <= least <= most <= max(20, MAX_SPEAKERS)
    assert asked.num_speakers is None or (least, most) == (asked.num_speakers, asked.num_speakers)


def test_nothing_asked_for_gives_no_hints() -> None:
    assert TranscriptionOptions().hints == SpeakerHints()
