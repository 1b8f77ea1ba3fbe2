"""Refusing what the configured engines cannot do, when it is asked for and not an hour later."""

from collections.abc import Mapping

from application.ports.asr import EngineCapabilities, TranscriptionEngine
from application.ports.diarization import DiarizationEngine
from domain.errors import EngineUnavailable, InvalidOptions, ModelNotFound
from domain.options import Goal, TranscriptionOptions


class CheckOptions:
    """Holds options against what the engines say of themselves.

    `absent_models` maps names that another engine would know to the reason why they cannot be used here.
    """

    def __init__(
        self, *, asr: TranscriptionEngine, diarizer: DiarizationEngine, absent_models: Mapping[str, str]
    ) -> None:
        self._asr = asr
        self._diarizer = diarizer
        self._absent_models = absent_models

    def __call__(self, options: TranscriptionOptions) -> None:
        """Let options pass that can be done.

        Raises:
            InvalidOptions: a language, goal, prompt, hotwords or speaker count beyond the engine.
            ModelNotFound: nobody knows the model.
            EngineUnavailable: the model is known, but its weights are not here.
        """
        able = self._asr.capabilities()
        self._check_presence(options, able)
        for language in (options.language, *options.languages):
            if able.languages is not None and language.partition("-")[0] not in {"auto", *able.languages}:
                raise InvalidOptions(f"{able.engine} cannot transcribe '{language}'", code="unsupported_language")
        if len(options.languages) > 1 and not able.detects_language:
            raise InvalidOptions(f"{able.engine} cannot tell languages apart: name one")
        model = options.model or able.models[0]
        if options.goal is Goal.TRANSLATE and (not able.translation or model in able.transcribe_only):
            raise InvalidOptions(f"{able.engine} cannot translate with model '{model}'")
        if options.initial_prompt and not able.initial_prompt:
            raise InvalidOptions(f"{able.engine} takes no initial_prompt")
        if options.hotwords and not able.hotwords:
            raise InvalidOptions(f"{able.engine} takes no hotwords")
        wanted = max(options.num_speakers or 0, options.min_speakers or 0)
        most = self._diarizer.capabilities().max_speakers
        if wanted > most:
            raise InvalidOptions(f"at most {most} speakers can be told apart")

    def detection(self) -> None:
        """Let pass that a language is to be found out.

        Raises:
            InvalidOptions: the engine cannot tell languages apart.
        """
        able = self._asr.capabilities()
        if not able.detects_language:
            known = f": it knows {', '.join(sorted(able.languages))}" if able.languages else ""
            raise InvalidOptions(f"{able.engine} cannot tell languages apart{known}")

    def _check_presence(self, options: TranscriptionOptions, able: EngineCapabilities) -> None:
        """Refuse what would be accepted now, wait, and then fail for want of weights."""
        if options.model and options.model not in able.models:
            if reason := self._absent_models.get(options.model):
                raise EngineUnavailable(f"model '{options.model}' is not available: {reason}")
            raise ModelNotFound(f"there is no model '{options.model}'; there is: {', '.join(able.models)}")
        if able.absent and options.model in {"", able.models[0]}:
            raise EngineUnavailable(f"model '{able.models[0]}' is not available: {able.absent}")
        if options.diarization and (absent := self._diarizer.capabilities().absent):
            raise EngineUnavailable(f"speakers cannot be told apart: {absent}; diarization=false does without")
