"""Translation and languages on their way from a request to the engine, and what is refused at once."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from adapters.scripted.diarizer import ScriptedDiarizer
from adapters.scripted.engine import ScriptedEngine
from application.ports.asr import EngineCapabilities, RecognitionRequest, TranscriptionEngine
from application.ports.system import ProgressSink
from domain.errors import EngineUnavailable, InvalidOptions
from domain.media import DecodedAudio
from domain.options import Goal, TranscriptionOptions
from domain.span import Span
from domain.task import TaskStatus
from domain.transcript import Recognition
from tests.application.test_process_task import Installation

ABLE = EngineCapabilities(
    engine="interpreter", models=("large", "turbo"), languages=frozenset({"de", "en", "fr"}),
    detects_language=True, translation=True, transcribe_only=frozenset({"turbo"}),
)  # fmt: skip


@dataclass
class Interpreter(TranscriptionEngine):
    """Writes down what it is asked, and hears German and French by turns; translates them all the same."""

    asked: list[RecognitionRequest] = field(default_factory=list)
    able: EngineCapabilities = ABLE

    def capabilities(self) -> EngineCapabilities:
        return self.able

    def transcribe(
        self, audio: DecodedAudio, window: Span, request: RecognitionRequest, on_progress: ProgressSink
    ) -> Recognition:
        heard = ScriptedEngine().transcribe(audio, window, replace(request, model=""), on_progress)
        spoken = ("de", "fr")[len(self.asked) % 2]
        self.asked.append(request)
        language = "en" if request.goal is Goal.TRANSLATE else spoken
        segments = tuple(replace(segment, language=language) for segment in heard.segments)
        return replace(heard, segments=segments, language=spoken)


@pytest.fixture
def interpreter(monkeypatch: pytest.MonkeyPatch) -> Interpreter:
    engine = Interpreter()
    monkeypatch.setattr("tests.application.test_process_task.ScriptedEngine", lambda *_: engine)
    return engine


async def test_a_language_that_nobody_named_is_that_of_the_first_words(
    tmp_path: Path, interpreter: Interpreter
) -> None:
    task = await Installation(tmp_path).run()
    assert task.status is TaskStatus.DONE
    assert [request.language for request in interpreter.asked] == ["auto", *["de"] * (len(interpreter.asked) - 1)]
    assert len(interpreter.asked) > 1


async def test_where_several_languages_are_allowed_each_window_is_free_to_choose(
    tmp_path: Path, interpreter: Interpreter
) -> None:
    installation = Installation(tmp_path)
    task = await installation.run(TranscriptionOptions(languages=("de", "fr-CH", "fr"), temperature=0.2))
    assert {(r.language, r.languages, r.temperature) for r in interpreter.asked} == {("auto", ("de", "fr"), 0.2)}
    transcript = await installation.transcript(task)
    assert {segment.language for segment in transcript.segments} == {"de", "fr"}


async def test_an_allowed_set_of_one_is_that_language(tmp_path: Path, interpreter: Interpreter) -> None:
    await Installation(tmp_path).run(TranscriptionOptions(languages=("fr",)))
    assert {(request.language, request.languages) for request in interpreter.asked} == {("fr", ())}


async def test_a_translation_is_english_whatever_was_spoken(tmp_path: Path, interpreter: Interpreter) -> None:
    installation = Installation(tmp_path)
    transcript = await installation.transcript(await installation.run(TranscriptionOptions(goal=Goal.TRANSLATE)))
    assert {request.goal for request in interpreter.asked} == {Goal.TRANSLATE}
    assert transcript.language == "en"


UNABLE = {"detects_language": False, "translation": False}


@pytest.mark.parametrize(
    ("options", "unable", "why"),
    [
        (lambda: TranscriptionOptions(goal=Goal.TRANSLATE), UNABLE, "cannot translate"),
        (lambda: TranscriptionOptions(goal=Goal.TRANSLATE, model="turbo"), {}, "cannot translate with model 'turbo'"),
        (lambda: TranscriptionOptions(languages=("de", "en")), UNABLE, "cannot tell languages apart"),
        (lambda: TranscriptionOptions(languages=("de", "tlh")), {}, "cannot transcribe 'tlh'"),
    ],
)
async def test_what_the_engine_cannot_do_is_refused(
    options: Callable[[], TranscriptionOptions],
    unable: dict[str, bool],
    why: str,
    tmp_path: Path,
    interpreter: Interpreter,
) -> None:
    interpreter.able = replace(interpreter.able, **unable)  # type: ignore[arg-type] # flags alone
    with pytest.raises(InvalidOptions, match=why):
        Installation(tmp_path).submit().check(options())
    Installation(tmp_path).submit().check(TranscriptionOptions(languages=("de",)))


async def test_what_could_only_fail_later_is_refused_at_once(tmp_path: Path, interpreter: Interpreter) -> None:
    check = Installation(tmp_path).submit().check
    interpreter.able = replace(ABLE, absent="its weights are not on this machine")
    for options in (TranscriptionOptions(), TranscriptionOptions(model="large")):
        with pytest.raises(EngineUnavailable, match="'large' is not available: its weights"):
            check(options)
    check(TranscriptionOptions(model="turbo"))


async def test_o05_a_diarizer_without_weights_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = replace(ScriptedDiarizer().capabilities(), absent="its weights are not on this machine")
    monkeypatch.setattr(ScriptedDiarizer, "capabilities", lambda _: absent)
    check = Installation(tmp_path).submit().check
    with pytest.raises(EngineUnavailable, match="diarization=false does without"):
        check(TranscriptionOptions())
    check(TranscriptionOptions(diarization=False))
