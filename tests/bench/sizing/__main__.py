"""Measures what the service takes, simulates fleets, and writes SIZING.md: `python -m tests.bench.sizing`.

A quarter of an hour. `--page` measures nothing and writes the page anew from what was kept.
"""

import argparse
import datetime as dt
import os
import time

import msgspec

from tests.bench.report import ROOT, machine
from tests.bench.sizing import database, installation
from tests.bench.sizing.page import Measured, written

KEPT = ROOT / "build" / "sizing.json"
PICTURES = ROOT / "infrastructure" / "observability" / "pictures"


def measured() -> Measured:
    """Measure everything."""
    today = str(dt.datetime.fromtimestamp(time.time(), dt.UTC).date())
    load = os.getloadavg()[0]
    ran = {name: installation.measure(name) for name in installation.CASES}
    return Measured(today, [*machine()], load, ran, database.measure())


def main() -> None:
    """Measure, keep, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", action="store_true", help="measure nothing; write the page from what was kept")
    if not parser.parse_args().page:
        KEPT.parent.mkdir(exist_ok=True)
        KEPT.write_bytes(msgspec.json.encode(measured()))
    page, pictures = written(msgspec.json.decode(KEPT.read_bytes(), type=Measured))
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        (PICTURES / name).write_text(picture, encoding="utf-8")
    (ROOT / "SIZING.md").write_text(page, encoding="utf-8")
    print("wrote SIZING.md")


if __name__ == "__main__":
    main()
