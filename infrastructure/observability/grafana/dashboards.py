"""Writes the dashboards that Grafana loads: `python -m infrastructure.observability.grafana.dashboards`."""

import json
from pathlib import Path

from infrastructure.observability.grafana.api import API
from infrastructure.observability.grafana.engines import ENGINES
from infrastructure.observability.grafana.errors import ERRORS
from infrastructure.observability.grafana.queue import QUEUE
from infrastructure.observability.grafana.resources import RESOURCES
from infrastructure.observability.grafana.runbook import RUNBOOK, runbook

FOLDER = Path(__file__).resolve().parent / "dashboards"


def files() -> dict[str, str]:
    """Return each file's text by its name."""
    boards = (API, QUEUE, ENGINES, RESOURCES, ERRORS, runbook(RUNBOOK.read_text(encoding="utf-8")))
    return {f"{board.name}.json": json.dumps(board.json(), indent=1) + "\n" for board in boards}


def write() -> None:
    """Replace the files by what the code makes now."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
