"""Pieces of HTML that the reference is made of; whatever is put into them comes out escaped."""

import re
from collections.abc import Iterator
from html import escape

from entrypoints.http.problem_types import KINDS, problem_type


def problem_table() -> Iterator[str]:
    """Write the table of what can go wrong."""
    yield '<h2 id="problems">Errors</h2><p class="lead">Every error is <code>application/problem+json</code>. '
    yield "Programs go by <code>code</code>; <code>detail</code> says what happened this time.</p>"
    yield "<table><tr><th>Status</th><th>code</th><th>type</th><th>Meaning</th></tr>"
    for code, kind in sorted(KINDS.items(), key=lambda item: item[1].status):
        yield f'<tr id="{code}"><td>{kind.status}</td><td><code>{code}</code></td>'
        yield f"<td><code>{problem_type(code)}</code></td><td>{escape(kind.title)}</td></tr>"
    yield "</table>"


def badge(method: str) -> str:
    """Write an HTTP method."""
    return f'<b class="method {method.lower()}">{method}</b>'


def prose(text: str) -> str:
    """Write text as paragraphs."""
    return "".join(f"<p>{inline(part)}</p>" for part in text.split("\n\n"))


def inline(text: str) -> str:
    """Write text, what stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
