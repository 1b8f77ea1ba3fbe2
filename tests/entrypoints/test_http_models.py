"""`GET /api/v1/models`: what can be asked for, what it can do, what is ready."""

from pathlib import Path
from typing import Any

import pytest

from application.list_models import ShelvedModel
from tests.entrypoints.http_service import AbleEngine, Api


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


async def listed(api: Api, kind: str = "asr") -> dict[str, dict[str, Any]]:
    async with api.client(await api.issue_key()) as client:
        answer = await client.get("/api/v1/models")
    assert answer.status_code == 200, answer.text
    return {model["name"]: model for model in answer.json()["models"] if model["kind"] == kind}


async def test_a_key_is_needed(api: Api) -> None:
    async with api.client() as client:
        assert (await client.get("/api/v1/models")).status_code == 401


async def test_the_engines_in_use_say_what_they_can_do(api: Api) -> None:
    able = AbleEngine().capabilities()
    model = (await listed(api))[able.models[0]]
    assert model["engine"] == able.engine
    assert (model["kind"], model["configured"], model["usable"], model["here"]) == ("asr", True, True, True)
    assert model["device"] == able.device
    assert {"word_timestamps", "initial_prompt", "hotwords"} <= set(model["abilities"])
    assert model["loaded"] is False
    api.memory.add(("asr", able.models[0]))
    assert (await listed(api))[able.models[0]]["loaded"] is True


async def test_others_are_listed_with_the_reason_why_not(api: Api) -> None:
    api.shelf = [
        ShelvedModel(
            name="parakeet-v3", kind="asr", engine="sherpa", here=True, size=670_478_772, licence="CC-BY-4.0",
            languages=frozenset({"en", "de"}),
        ),
        ShelvedModel(name="gone", kind="diarization", engine="pyannote", here=False, absent="no weights", gated=True),
    ]  # fmt: skip
    parakeet, gone = (await listed(api))["parakeet-v3"], (await listed(api, "diarization"))["gone"]
    assert (parakeet["usable"], parakeet["here"], parakeet["reason"]) == (False, True, "scripted is in use")
    assert (parakeet["languages"], parakeet["size_bytes"]) == (["de", "en"], 670_478_772)
    assert (gone["usable"], gone["here"], gone["gated"], gone["device"]) == (False, False, True, None)


async def test_a_model_whose_weights_cannot_be_had_is_not_usable(api: Api) -> None:
    able = AbleEngine().capabilities()
    api.shelf = [ShelvedModel(name=able.models[0], kind="asr", engine=able.engine, here=False, absent="disk is empty")]
    model = (await listed(api))[able.models[0]]
    assert (model["configured"], model["usable"], model["reason"]) == (True, False, "disk is empty")


async def test_no_path_of_the_machine_is_told(api: Api, tmp_path: Path) -> None:
    async with api.client(await api.issue_key()) as client:
        assert str(tmp_path) not in (await client.get("/api/v1/models")).text
