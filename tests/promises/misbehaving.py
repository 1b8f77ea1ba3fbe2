"""What stands where the decoder stands: it does whatever it is told to, with its job at hand."""

import json
import os
import sys


def main(job: str, code: str) -> None:
    """Run `code`."""
    names = {"__name__": "misbehaving", "json": json, "os": os, "sys": sys, "job": json.loads(job)}
    exec(code, names)  # noqa: S102 - the tests' own
