"""The Containerfile: what a linter says of it, what each image holds, and as whom it runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure.containers.requirements import WORKERS_ONLY, requirements
from tests.e2e.compose_file import ROOT, image_environment

TEXT = (ROOT / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
STAGES = {
    stage.splitlines()[0].split()[-1]: stage for stage in re.split(r"^FROM ", TEXT, flags=re.MULTILINE)[1:]
}  # fmt: skip
IMAGES = ("api", "worker-cpu", "worker-cuda")


@pytest.mark.parametrize("file", ["Containerfile", "infrastructure/edge/Containerfile"])
def test_hadolint_has_nothing_to_say(file: str) -> None:
    ran = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), ROOT / file], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, "")


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_runs_as_nobody_and_says_how_it_is(image: str) -> None:
    stage = STAGES[image]
    assert "\nUSER 10001:10001\n" in stage
    assert "\nSTOPSIGNAL SIGTERM\n" in stage
    assert re.search(r'^HEALTHCHECK .*\["colloquy", "health"', stage, re.MULTILINE)
    assert 'ENTRYPOINT ["colloquy"]' in stage
    assert "org.opencontainers.image.title" in stage
    assert "pip" not in stage.replace("pipefail", ""), "what installs stays behind"
    assert image_environment(image)["MODELS_DIR"] == "/models"


def test_bases_are_pinned() -> None:
    bases = re.findall(r"^ARG (?:PYTHON|CUDA)=(\S+)$", TEXT, re.MULTILINE)
    assert len(bases) == 2
    assert all(re.search(r":\d+\.\d+\.\d+-", base) for base in bases)
    assert {stage.split()[0] for stage in STAGES.values()} <= {"${PYTHON}", "${CUDA}", *STAGES}


def test_the_api_is_the_default_install_without_what_only_workers_need() -> None:
    api, worker = requirements("api", []), requirements("worker", [])
    assert set(worker) - set(api) == WORKERS_ONLY
    assert set(requirements("worker", ["sherpa"])) - set(worker) == {"sherpa-onnx"}
    with pytest.raises(ValueError, match="no extra"):
        requirements("api", ["nonsense"])
    with pytest.raises(ValueError, match="no image"):
        requirements("nonsense", [])


def test_extras_that_the_images_install_exist() -> None:
    named = re.findall(r'^ARG (API|WORKER|CUDA)_EXTRAS=(?:"([^"]*)"|(\S*))$', TEXT, re.MULTILINE)
    assert len(named) == 3
    for image, quoted, bare in named:
        requirements("api" if image == "API" else "worker", (quoted or bare).split())


def test_nothing_private_goes_into_an_image() -> None:
    ignored = (ROOT / ".containerignore").read_text().split()
    assert ignored[0] == "*", "what is not named stays out"
    assert not {"data", ".git", ".env", "colloquy.env", "tests"} & {line.removeprefix("!") for line in ignored}
    assert (ROOT / ".dockerignore").read_text() == (ROOT / ".containerignore").read_text()
