"""The runbook as a dashboard: what alerts name is one click away from the numbers."""

import re
from pathlib import Path

from infrastructure.observability.grafana.board import Board, Row
from infrastructure.observability.grafana.panels import text

RUNBOOK = Path(__file__).resolve().parent.parent / "RUNBOOK.md"


def runbook(markdown: str) -> Board:
    """Return a panel for each section of second level, as high as its text needs."""
    parts = re.split(r"^## (.+)$", markdown, flags=re.MULTILINE)
    sections = zip(parts[1::2], parts[2::2], strict=True)
    return Board(
        "runbook", "Runbook", "What each alert means, what to look at, and what to do.",
        tuple(Row((text(title, body.strip()),), height=_height(body)) for title, body in sections),
        alerts_shown=False,
    )  # fmt: skip


def _height(markdown: str) -> int:
    """Rows of 30 pixels: a line of text takes less than one, and a long one is folded."""
    return 3 + sum(1 + len(line) // 160 for line in markdown.strip().splitlines() if line.strip())
