"""`colloquy doctor`: what is installed, what will run, and one line on how to mend each gap."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from infrastructure.examination import examine_installation
from infrastructure.settings import Settings

_MARKS = {"ok": "[green]ok[/]", "gap": "[yellow]gap[/]", "broken": "[red]broken[/]"}


def examine(settings: Settings) -> int:
    """Print the findings; return non-zero when a recording could not be transcribed."""
    findings = examine_installation(settings)
    table = Table(box=None, pad_edge=False)
    for heading in ("", "part", "finding", "to mend it"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        table.add_row(_MARKS[finding.state], finding.part, escape(finding.found), escape(finding.fix))
    Console().print(table)
    return 1 if any(finding.state == "broken" for finding in findings) else 0
