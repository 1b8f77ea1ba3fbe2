"""How fast each stage goes, learned from those that have ended, so that the time of the next can be told beforehand."""

from dataclasses import dataclass

from domain.stage import Stage, StageName

KEPT = 0.7
"""What a task's figures still count when the next one's come: the last five make up five sixths of what is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What has a speed of its own: a stage, by the engine and model that do it and the device they do it on."""

    stage: StageName
    engine: str = ""
    model: str = ""
    device: str = ""

    @staticmethod
    def of(stage: Stage) -> "Work":
        """Return what the stage was; decoding is one whatever the codec, which nobody knows beforehand."""
        engine = "" if stage.name is StageName.DECODE else stage.engine
        return Work(stage=stage.name, engine=engine, model=stage.model, device=stage.device)


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of work for seconds of audio, both summed over the tasks so far, older ones counting less and less.

    Long recordings count more than short ones, of whose time much goes into loading.
    """

    seconds: float = 0.0
    audio: float = 0.0

    @property
    def per_second(self) -> float:
        """Seconds of work for each second of audio."""
        return self.seconds / self.audio

    def learned(self, *, seconds: float, audio: float) -> "Pace":
        """Return the pace with one more task in it.

        >>> Pace(10.0, 100.0).learned(seconds=33.0, audio=30.0)
        Pace(seconds=40.0, audio=100.0)
        """
        return Pace(self.seconds * KEPT + seconds, self.audio * KEPT + audio)
