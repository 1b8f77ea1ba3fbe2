"""`colloquy doctor`: what is installed, what the installation is like, and one line on how to mend what is not well."""

import json
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from infrastructure.examination import examine_installation
from infrastructure.inspection import inspect_installation
from infrastructure.log_config import configure_logging
from infrastructure.log_settings import Log
from infrastructure.settings import Settings

_MARKS = {"ok": "[green]ok[/]", "warn": "[yellow]warn[/]", "fail": "[red]fail[/]"}


def examine(settings: Settings, *, as_json: bool = False) -> int:
    """Print the findings; return non-zero when something must be mended before a recording can be transcribed."""
    configure_logging(Log(level="error"))
    findings = [*examine_installation(settings), *inspect_installation(settings)]
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        table = Table(box=None, pad_edge=False)
        for heading in ("", "part", "finding", "to mend it"):
            table.add_column(heading, overflow="fold")
        for finding in findings:
            table.add_row(_MARKS[finding.state], finding.part, escape(finding.found), escape(finding.fix))
        Console().print(table)
    return 1 if any(finding.state == "fail" for finding in findings) else 0
