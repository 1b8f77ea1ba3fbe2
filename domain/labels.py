"""An owner's own words for a task: its title and its tags, within their bounds; they change nothing of the work."""

from collections.abc import Iterable

from domain.errors import InvalidOptions

MAX_TAGS = 20
MAX_TAG = 64
"""Characters."""
MAX_TITLE = 200
"""Characters."""


def checked_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the tags, each once, in their order.

    Raises:
        InvalidOptions: there are too many, or one is empty or too long.

    >>> checked_tags(["board", "2026", "board"])
    ('board', '2026')
    """
    unique = tuple(dict.fromkeys(tags))
    if len(unique) > MAX_TAGS:
        raise InvalidOptions(f"tags: there may be at most {MAX_TAGS}")
    if not all(0 < len(tag) <= MAX_TAG for tag in unique):
        raise InvalidOptions(f"tags: each has 1 to {MAX_TAG} characters")
    return unique


def checked_title(title: str) -> str:
    """Return the title.

    Raises:
        InvalidOptions: it is too long.
    """
    if len(title) > MAX_TITLE:
        raise InvalidOptions(f"title: it may have at most {MAX_TITLE} characters")
    return title
