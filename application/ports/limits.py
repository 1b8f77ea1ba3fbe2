"""The port that counts how often somebody does something; it knows neither who asks nor what is asked for."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Rule:
    """At most `most` in any `seconds` on end; `name` keeps apart what is counted apart, and callers are told it."""

    name: str
    most: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it may be done now, and when the next may.

    `remaining` is how much may still be done within `reset_seconds`, after which the oldest is forgotten and there is
    more. `retry_after` is 0 for what is allowed, else the seconds, at least 1, after which the same would be.
    """

    allowed: bool
    remaining: int
    reset_seconds: int
    retry_after: int


class RateLimiter(Protocol):
    """Counts in a sliding window: never more than the rule's `most` in any window, and never fewer if asked for."""

    @abstractmethod
    async def hit(self, subject: str, rule: Rule, cost: int = 1) -> Verdict:
        """Count `cost` for `subject`, unless that would be too many: what is refused is not counted.

        It raises nothing: where it cannot count, it allows, and says so in the log.
        """

    @abstractmethod
    async def close(self) -> None:
        """Let go of what is held; the limiter may be used again."""
