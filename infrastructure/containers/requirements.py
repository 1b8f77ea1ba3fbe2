"""Prints what an image installs, one requirement a line: `requirements.py api`, `requirements.py worker otel sherpa`.

It reads pyproject.toml, so that a dependency stands in one place, and runs before anything is installed.
"""

import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"
WORKERS_ONLY = frozenset(
    {
        "av", "ctranslate2", "faster-whisper", "huggingface-hub", "numpy", "nvidia-ml-py", "onnxruntime",
        "pocketsphinx", "scikit-learn", "scipy", "yt-dlp",
    }
)  # fmt: skip
"""What decodes, fetches and recognises; an API whose workers run elsewhere starts and answers without."""


def requirements(image: str, extras: Iterable[str], pyproject: Path = PYPROJECT) -> list[str]:
    """List the default install, for the image `api` without what only workers need, and the extras.

    Raises:
        ValueError: there is no such image or extra, or `WORKERS_ONLY` names what is no dependency.
    """
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    every, optional = list(project["dependencies"]), project["optional-dependencies"]
    if image not in {"api", "worker"}:
        raise ValueError(f"there is no image {image!r}")
    if unknown := [extra for extra in extras if extra not in optional]:
        raise ValueError(f"there is no extra {unknown[0]!r}")
    if strangers := WORKERS_ONLY - {_name(each) for each in every}:
        raise ValueError(f"pyproject.toml does not name {', '.join(sorted(strangers))}")
    kept = [each for each in every if image == "worker" or _name(each) not in WORKERS_ONLY]
    return kept + [each for extra in extras for each in optional[extra]]


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower()


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1], sys.argv[2:])))  # noqa: T201 - that is its job
