"""The report on benches: what is collected, which interpreter runs what, and what is said of those that did not run."""

import json
from pathlib import Path

import pytest

from tests.bench import report
from tests.bench.figures import tell


def script(tmp_path: Path, source: str) -> Path:
    path = tmp_path / "bench_x.py"
    path.write_text(source)
    return path


def test_a_figure_is_told_to_people_and_to_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    tell("word merge", 41.3, 40, better="more", detail="beside whisperX")
    shown, line = capsys.readouterr().out.splitlines()
    assert shown == "word merge: ratio 41.3 (bar ≥ 40, met)"
    assert report._figure(line) == json.loads(line)
    assert json.loads(line)["met"] is True
    tell("memory", 0.2, 0.15, better="less")
    assert "missed" in capsys.readouterr().out
    assert report._figure('{"bench": half') is None
    assert report._figure("ratio 3") is None


@pytest.mark.parametrize(
    ("source", "needed"),
    [
        ("import numpy as np\n", False),
        ("def main():\n    from pyannote.audio import Model\n", True),
        ("from pyannote.core import Annotation\n", False),
        ('CHILD = """\nimport torch\n"""\n', True),
        ("text = 'import torchless'\n", False),
    ],
)
def test_benches_that_need_an_extra_are_known(tmp_path: Path, source: str, *, needed: bool) -> None:
    assert report.wants_extras(script(tmp_path, source)) is needed


def test_without_the_extras_a_bench_that_needs_them_is_not_run_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "ROOT", tmp_path)
    monkeypatch.setattr(report, "ENGINES", tmp_path / "absent")
    (tmp_path / "tests" / "bench").mkdir(parents=True)
    for source, state in {
        "raise ModuleNotFoundError(\"No module named 'torch'\")\nimport torch\n": "not run: it needs the extras",
        "try:\n    import torchless as torch\nexcept ImportError:\n    print('without')\n": "",
    }.items():
        done = report.run(script(tmp_path / "tests" / "bench", source), [], 20)
        assert done.state.startswith(state), done
        assert bool(done.state) is bool(state)


def test_a_bench_that_fails_or_takes_too_long_is_said_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "ROOT", tmp_path)
    (tmp_path / "tests" / "bench").mkdir(parents=True)
    for name, source in {
        "bench_whole": "import json\nprint('text')\nprint(json.dumps({'bench': 'x', 'ratio': 2.0, 'bar': 1, "
        "'better': 'more', 'met': True, 'detail': 'this | that'}))\n",
        "bench_broken": "raise SystemExit(3)\n",
        "bench_endless": "import time\nprint('begun', flush=True)\ntime.sleep(60)\n",
    }.items():
        (tmp_path / "tests" / "bench" / f"{name}.py").write_text(source)
    runs = [report.run(path, [], 2) for path in sorted((tmp_path / "tests" / "bench").glob("*.py"))]
    assert [run.state for run in runs] == ["failed with status 3", "not finished within 2 s", ""]
    assert runs[1].output == "begun"
    assert runs[2].figures[0]["ratio"] == 2.0
    whole = report.Report("today", ["a machine"], "versions", {run.name: run for run in runs})
    whole.measured["Speech"] = "not finished within 2 s"
    monkeypatch.setattr(report, "KEPT", tmp_path / "build" / "kept.json")
    whole.keep(tmp_path / "BENCHMARKS.md")
    assert report.Report.begun(go_on=True).runs == {}, "it is of another day"
    text = (tmp_path / "BENCHMARKS.md").read_text()
    assert "| x | 2 | ≥ 1 | met |" in text
    assert "| `bench_broken` | - | - | failed with status 3 | |" in text
    assert "## Speech\n\nnot finished within 2 s" in text
    assert str(tmp_path) not in text


def test_a_bench_can_be_run_again_without_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "KEPT", tmp_path / "build" / "kept.json")
    first = report.Report.begun(go_on=False)
    first.runs["bench_x"] = report.Run("bench_x", "python -m x", output="text")
    first.measured["Speech"] = "failed"
    first.keep(tmp_path / "BENCHMARKS.md")
    assert report.Report.begun(go_on=True) == first
    assert report.Report.begun(go_on=False).runs == {}
