"""R-10: a step fails, before its effect or after, whichever step it is; no job is lost, none is done twice."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fail_at_step import SCENARIOS, Steps, in_process

EVERY = int(os.environ.get("COLLOQUY_TEST_STRIDE", "0"))  # noqa: TID251 - 1 fails every step of every kind
ROOT = Path(__file__).parents[2]
scenarios = pytest.mark.parametrize("scenario", SCENARIOS)
whens = pytest.mark.parametrize("before", [True, False], ids=["before", "after"])


async def every_step(folder: Path, scenario: str, stride: int, *, before: bool, on_disk: bool) -> tuple[int, list[str]]:
    """Return the number of failed steps, and what any of them left wrong."""
    wrong: list[str] = []
    for failed, at in enumerate(range(1, 1_000, stride)):
        steps = Steps(at, before=before)
        found = await in_process(folder / str(at), scenario, steps, on_disk=on_disk)
        wrong += [f"step {at}, {steps.broke}: {each}" for each in found]
        if not steps.broke:
            return failed, wrong
    raise AssertionError("there is no end of steps")


@scenarios
@whens
@pytest.mark.timeout(120)
async def test_r10_a_failing_step_in_memory(scenario: str, before: bool, tmp_path: Path) -> None:  # noqa: FBT001
    failed, wrong = await every_step(tmp_path, scenario, 1, before=before, on_disk=False)
    assert wrong == []
    assert failed > 10


@scenarios
@whens
@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_r10_a_failing_statement_or_file(scenario: str, before: bool, tmp_path: Path) -> None:  # noqa: FBT001
    failed, wrong = await every_step(tmp_path, scenario, EVERY or 17, before=before, on_disk=True)
    assert wrong == []
    assert failed > (10 if EVERY == 1 else 0)


@scenarios
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_r10_a_process_that_dies_at_a_step(scenario: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fail_at_step", str(tmp_path), scenario, str(EVERY or 29)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as killing:
        assert killing.stdout is not None
        outcomes = [json.loads(line) for line in killing.stdout if line.startswith('{"at"')]
    assert killing.returncode == 0
    assert [each for each in outcomes if each["wrong"]] == []
    assert sum(each["killed"] for each in outcomes) > (20 if EVERY == 1 else 0)
