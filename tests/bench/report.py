"""Runs this project's benches and `colloquy bench`, and writes BENCHMARKS.md: `python -m tests.bench.report`.

A bench that imports what only an extra brings is run by `.venv-engines`, where that is there, and tried without it
elsewhere. Nothing is left out silently: what was not run, took too long or failed stands in the report.
"""

import argparse
import ast
import contextlib
import datetime as dt
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "build" / "benchmarks.json"
ENGINES = ROOT / ".venv-engines" / "bin" / "python"
_EXTRAS = ("torch", "pyannote.audio", "sherpa_onnx", "whisperx", "meeteval", "onnx")
_MISSING = re.compile(r"ModuleNotFoundError: No module named")
_VERSIONS = ("ctranslate2", "faster-whisper", "numpy", "onnxruntime", "pocketsphinx", "scikit-learn", "scipy",
             "pyannote-audio", "sherpa-onnx", "torch", "whisperx")  # fmt: skip
QUICK: dict[str, list[str] | str] = {
    "bench_long": ["1"],
    "bench_memory": ["--minutes", "20"],
    "bench_recognition": ["--seconds", "120", "--rounds", "1"],
    "bench_throughput": ["--quick"],
    "bench_overhead": "six minutes of waiting engines: `python -m tests.bench.bench_overhead`",
}
"""What `--quick` gives a bench as arguments, or why it leaves it out."""


@dataclass(slots=True)
class Run:
    """One bench: `state` is empty where it came to its end."""

    name: str
    command: str
    state: str = ""
    seconds: float = 0.0
    load: float = 0.0
    output: str = ""
    figures: list[dict[str, Any]] = field(default_factory=list)


def wants_extras(script: Path) -> bool:
    """Whether it, or a child that it starts with code of its own, imports what is in no default install."""
    source = script.read_text(encoding="utf-8")
    pattern = rf"^\s*(?:import|from) ({'|'.join(map(re.escape, _EXTRAS))})\b"
    return any(re.search(pattern, text, re.MULTILINE) for text in (source, *_strings(source)))


def _strings(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def run(script: Path, arguments: list[str], limit: float) -> Run:
    """Run one bench in a process of its own, for `limit` seconds at most."""
    python = Path(sys.executable)
    done = Run(script.stem, " ".join([f"python -m tests.bench.{script.stem}", *arguments]))
    if wants_extras(script) and ENGINES.is_file():
        python, done.command = ENGINES, done.command.replace("python", ".venv-engines/bin/python", 1)
    started, done.load = time.monotonic(), os.getloadavg()[0]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        process = subprocess.Popen(
            [python, "-m", f"tests.bench.{script.stem}", *arguments],
            cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            status = process.wait(limit)
            done.state = "" if status == 0 else f"failed with status {status}"
        except subprocess.TimeoutExpired:
            done.state = f"not finished within {limit:.0f} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        lines = output.read().splitlines()
    done.seconds = time.monotonic() - started
    if done.state and python != ENGINES and any(_MISSING.match(line) for line in lines):
        done.state = "not run: it needs the extras (`make test-engines` installs them in .venv-engines)"
    if done.state and "KeyError: 'COLLOQUY_TEST_SPEECH'" in lines:
        done.state = "not run: it needs real speech, in COLLOQUY_TEST_SPEECH"
    done.figures = [figure for figure in map(_figure, lines) if figure]
    done.output = _anonymous("\n".join(line for line in lines if not _figure(line)))
    return done


def _figure(line: str) -> dict[str, Any] | None:
    if not line.startswith('{"bench"'):
        return None
    try:
        return dict(json.loads(line))
    except ValueError:
        return None


def _anonymous(text: str) -> str:
    """Keep this machine's folders out of the report."""
    for folder, name in ((str(ROOT), "."), (tempfile.gettempdir(), "/tmp"), (str(Path.home()), "~")):  # noqa: S108
        text = text.replace(folder, name)
    speech = os.environ.get("COLLOQUY_TEST_SPEECH")  # noqa: TID251 - an optional path, not a setting
    return text.replace(speech.rstrip("/"), "$COLLOQUY_TEST_SPEECH") if speech else text


def configurations() -> list[tuple[str, list[str], list[str]]]:
    """Give a title, recordings and arguments for each call of `colloquy bench` on the speech at hand."""
    data = ROOT / "tests" / "data"
    clips = [str(path.relative_to(ROOT)) for path in sorted(data.glob("*.flac"))]
    diarization = "diarization=acoustic"
    whisper = ["-e", f"asr=faster_whisper,model=tests/data/small-whisper,{diarization}"]
    title = "The recordings in the repository (synthetic speech, gaps inside a line count as speech)"
    calls = [
        (title, clips, [*whisper, "-e", f"asr=pocketsphinx,{diarization}"]),
        ("The same, told that there are two speakers", clips, [*whisper, "--num-speakers", "2"]),
    ]
    if folder := os.environ.get("COLLOQUY_TEST_SPEECH"):  # noqa: TID251 - as above
        speech = Path(folder)
        told = [str(path) for path in (speech / "telephone.wav", speech / "jfk.flac") if path.is_file()]
        rooms = [str(path) for path in sorted(speech.glob("ami-*.flac"))]
        pocketsphinx, scripted = f"asr=pocketsphinx,{diarization}", f"asr=scripted,{diarization}"
        calls += [("Real speech with words: a telephone call, a speech", told, ["-r", folder, "-e", pocketsphinx])]
        calls += [("Meetings, turns alone (the recogniser is scripted)", rooms, ["-r", folder, "-e", scripted])]
    return [(title, files, arguments) for title, files, arguments in calls if files]


def colloquy_bench(files: list[str], arguments: list[str], limit: float) -> dict[str, Any] | str:
    """Return the figures of one call, or why there are none."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "figures.json"
        command = [str(Path(sys.executable).with_name("colloquy")), "bench", *files, *arguments, "--json", str(report)]
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}  # noqa: TID251
        environment = {**kept, "DATA_DIR": folder, "MODELS_DOWNLOAD": "false"}
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, timeout=limit, capture_output=True, text=True, check=False
            )
        except subprocess.TimeoutExpired:
            return f"not finished within {limit:.0f} s"
        if not report.is_file():
            return f"failed: {_anonymous(done.stderr.strip()[-500:])}"
        return dict(json.loads(report.read_text(encoding="utf-8")))


# Writing it down


def machine() -> Iterator[str]:
    """Say what all of it ran on."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").is_file() else ""
    model = re.search(r"model name\s*:\s*(.+)", info)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    yield f"{os.cpu_count()} cores ({model[1] if model else platform.machine()}), {memory:.0f} GB of memory"
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
        yield subprocess.run(query, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    yield f"{platform.system()}, Python {platform.python_version()}"


def versions() -> str:
    """Name what was measured, in the default environment and in the one with the extras."""
    found = {one.metadata["Name"].lower().replace("_", "-"): one.version for one in distributions()}
    if ENGINES.is_file():
        listed = subprocess.run(
            [ENGINES, "-m", "pip", "list", "--format", "json"], capture_output=True, text=True, check=False
        ).stdout
        with contextlib.suppress(ValueError):
            found |= {one["name"].lower().replace("_", "-"): one["version"] for one in json.loads(listed)}
    return ", ".join(f"{name} {found[name]}" for name in _VERSIONS if name in found)


def written(report: "Report") -> str:
    """Give the report as Markdown."""
    runs = [report.runs[name] for name in sorted(report.runs)]
    lines = [
        "# Benchmarks", "",
        f"Written by `make bench` on {report.today}; do not edit.", "",
        *(f"- {line}" for line in report.machine),
        f"- {report.versions}", "",
        "A ratio compares two ways in one interleaved run on one machine, so it means more than any time here; the",
        "load beside a bench is what else the machine had to do when it began.", "",
        "## Ratios and their bars", "",
        "| Bench | Ratio | Bar | | What is compared |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for one in runs:
        for figure in one.figures:
            sign = "≥" if figure["better"] == "more" else "≤"
            met = "met" if figure["met"] else "**missed**"
            lines.append(
                f"| {figure['bench']} | {figure['ratio']:.3g} | {sign} {figure['bar']:g} | {met} | {figure['detail']} |"
            )
        if one.state:
            lines.append(f"| `{one.name}` | - | - | {one.state} | |")
    for title, figures in report.measured.items():
        lines += ["", f"## {title}", ""]
        lines += [figures] if isinstance(figures, str) else [*_table(figures)]
    lines += ["", "## What each bench printed", ""]
    for one in runs:
        if one.output and not one.state.startswith("not run"):
            state = f" ({one.state})" if one.state else ""
            lines += [
                f"`{one.command}`, {one.seconds:.0f} s, load {one.load:.1f}{state}",
                "",
                "```",
                one.output[-6_000:],
                "```",
                "",
            ]
    return "\n".join(lines).rstrip() + "\n"


def _table(figures: dict[str, Any]) -> Iterator[str]:
    scoring = figures["scoring"]
    yield (
        f"By `colloquy bench`. DER with a collar of {scoring['collar_seconds']:g} s, overlapping speech "
        f"{scoring['overlap']}; JER without collar. Words: {scoring['words']}."
    )
    yield ""
    yield "| Configuration | Recording | Seconds | WER | cpWER | DER | JER | RTF | Peak MB |"
    yield "|---|---|--:|--:|--:|--:|--:|--:|--:|"
    for one in figures["configurations"]:
        rows = [*one["results"], one["all"]] if len(one["results"]) > 1 else one["results"]
        for row in rows:
            rates = [row[name] for name in ("wer", "cpwer", "der", "jer", "rtf")]
            cells = " | ".join("-" if rate is None else f"{rate:.3f}" for rate in rates)
            yield f"| {one['name']} | {row['recording']} | {row['seconds']:.1f} | {cells} | {one['peak_mb']:.0f} |"
        if one["failure"]:
            yield f"| {one['name']} | {one['failure']} | | | | | | | |"


@dataclass(slots=True)
class Report:
    """What was measured so far, kept on disk, so that a bench can be run again without the others."""

    today: str
    machine: list[str]
    versions: str
    runs: dict[str, Run] = field(default_factory=dict)
    measured: dict[str, dict[str, Any] | str] = field(default_factory=dict)

    @classmethod
    def begun(cls, *, go_on: bool) -> "Report":
        """Start afresh, or go on with what was measured today, here, with these versions."""
        fresh = cls(str(dt.datetime.fromtimestamp(time.time(), dt.UTC).date()), [*machine()], versions())
        if go_on and KEPT.is_file():
            with contextlib.suppress(msgspec.MsgspecError):
                kept = msgspec.json.decode(KEPT.read_bytes(), type=cls)
                if (kept.today, kept.machine, kept.versions) == (fresh.today, fresh.machine, fresh.versions):
                    return kept
        return fresh

    def keep(self, output: Path) -> None:
        """Write both files."""
        KEPT.parent.mkdir(exist_ok=True)
        KEPT.write_bytes(msgspec.json.encode(self))
        output.write_text(written(self), encoding="utf-8")


def main() -> None:
    """Run, print what comes, write the report after each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter recordings, and without what takes longest")
    parser.add_argument("--limit", type=float, default=3_600.0, help="seconds that one bench may take")
    parser.add_argument("--skip", nargs="*", default=[], help="names such as bench_long")
    parser.add_argument("--only", nargs="*", default=[], help="run these again; `colloquy` stands for colloquy bench")
    parser.add_argument("--output", type=Path, default=ROOT / "BENCHMARKS.md")
    options = parser.parse_args()
    # Ended from outside, it ends the bench that runs, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    report = Report.begun(go_on=bool(options.only))
    for script in sorted((ROOT / "tests" / "bench").glob("bench_*.py")):
        name, quick = script.stem, QUICK.get(script.stem, []) if options.quick else []
        if options.only and name not in options.only:
            continue
        if name in options.skip or isinstance(quick, str):
            why = quick if isinstance(quick, str) else "left out by --skip"
            report.runs[name] = Run(name, name, state=f"not run: {why}")
            continue
        print(f"== {name}", flush=True)
        done = report.runs[name] = run(script, quick, options.limit)
        for figure in done.figures:
            print(f"{figure['bench']}: {figure['ratio']} (bar {figure['bar']})", flush=True)
        print(f"{done.state or 'done'} after {done.seconds:.0f} s", flush=True)
        report.keep(options.output)
    if "colloquy" not in options.skip and (not options.only or "colloquy" in options.only):
        for title, files, arguments in configurations():
            print(f"== colloquy bench: {title}", flush=True)
            report.measured[title] = colloquy_bench(files, arguments, options.limit)
            report.keep(options.output)
    report.keep(options.output)
    print(f"wrote {options.output.name}")


if __name__ == "__main__":
    main()
