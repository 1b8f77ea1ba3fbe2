"""The container is not checked by the type checker, so every provider is built under every profile."""

from pathlib import Path

import pytest
from dependency_injector import providers

from entrypoints.api import Api
from infrastructure import engine_choice
from infrastructure.container import Container
from infrastructure.engine_choice import Choice, absent_models, choose_asr, choose_diarizer
from infrastructure.engines import asr_threads, diarizer_threads, executor_diarizer, hosting, pyannote_diarizer
from infrastructure.load_settings import load_settings
from infrastructure.settings import PROJECT, Settings
from infrastructure.startup import prepare

PROFILES: dict[str, dict[str, str]] = {
    "default": {},
    "pocketsphinx": {"ASR_ENGINE": "pocketsphinx", "DIARIZATION_ENGINE": "acoustic"},
    "faster_whisper": {"ASR_ENGINE": "faster_whisper"},
    "scripted": {"ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted"},
    "pyannote": {"DIARIZATION_ENGINE": "pyannote", "MODELS_HUB_TOKEN": "hf_hush"},
    "sherpa_onnx": {"ASR_ENGINE": "sherpa_onnx", "DIARIZATION_ENGINE": "sherpa_onnx"},
    "openai_compatible": {"ASR_ENGINE": "openai_compatible", "ASR_REMOTE_URL": "http://127.0.0.1:9/v1"},
}


def settings(tmp_path: Path, **environment: str) -> Settings:
    return load_settings({"DATA_DIR": str(tmp_path), "MODELS_DOWNLOAD": "false", **environment})


@pytest.mark.parametrize("profile", PROFILES)
async def test_every_provider_builds(profile: str, tmp_path: Path) -> None:
    chosen = settings(tmp_path, **PROFILES[profile])
    prepare(chosen)
    container = Container(settings=chosen)
    built = {name: provider() for name, provider in container.providers.items() if name != "settings"}
    assert len(built) > 20
    assert not any(isinstance(value, providers.Provider) for value in built.values())
    await container.database().dispose()


def test_the_named_engine_stands_behind_the_port(tmp_path: Path) -> None:
    for profile, engine in (("pocketsphinx", "pocketsphinx"), ("scripted", "scripted")):
        container = Container(settings=settings(tmp_path, **PROFILES[profile]))
        assert container.asr().capabilities().engine == engine


def test_whoever_names_a_remote_engine_is_told_where_speech_goes(tmp_path: Path) -> None:
    remote = {"ASR_ENGINE": "openai_compatible", "ASR_REMOTE_URL": "http://me:hush@box.lan:8001/v1"}
    choice = choose_asr(settings(tmp_path, **remote))
    assert choice.reason == "named by ASR_ENGINE; speech is sent to box.lan"


def test_auto_takes_pocketsphinx_where_no_weights_are_to_be_had(tmp_path: Path) -> None:
    choice = choose_asr(settings(tmp_path))
    assert choice.engine == "pocketsphinx"
    assert "small" in choice.reason
    assert choice.fix
    assert "large-v3" in absent_models(choice, ["pocketsphinx-en-us"])


def test_auto_takes_whisper_where_its_weights_are(tmp_path: Path) -> None:
    weights = tmp_path / "models" / "small"
    weights.mkdir(parents=True)
    for name in ("model.bin", "config.json", "tokenizer.json", "vocabulary.json"):
        (weights / name).write_bytes(b"{}")
    choice = choose_asr(settings(tmp_path))
    assert choice.engine == "faster_whisper"
    assert "large-v3" in absent_models(choice, ["small"])
    assert "small" not in absent_models(choice, ["small"])


def test_auto_takes_whisper_where_a_hub_answers(tmp_path: Path) -> None:
    online = load_settings({"DATA_DIR": str(tmp_path)})
    assert choose_asr(online, ask_hub=lambda _: True).engine == "faster_whisper"
    assert choose_asr(online, ask_hub=lambda _: False).engine == "pocketsphinx"


def test_a_named_engine_never_falls_back(tmp_path: Path) -> None:
    assert choose_asr(settings(tmp_path, ASR_ENGINE="faster_whisper")).engine == "faster_whisper"
    assert choose_diarizer(settings(tmp_path)) == Choice("acoustic", "built in; it needs no weights")


def test_an_api_takes_the_workers_for_whole_though_it_has_no_models_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.engine_choice.installed", lambda _: False)
    weights = settings(tmp_path, ASR_MODEL=str(PROJECT / "tests" / "data" / "small-whisper"))
    assert choose_asr(weights).engine == "pocketsphinx"
    assert choose_asr(weights, elsewhere=True).engine == "faster_whisper"
    assert Api(weights).container.asr_choice().engine == "faster_whisper"


def test_auto_takes_pyannote_where_it_is_installed_and_its_weights_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = settings(tmp_path, DIARIZATION_MODEL="ours")
    monkeypatch.setattr(engine_choice, "installed", lambda module: module != "sherpa_onnx")
    assert choose_diarizer(chosen).engine == "acoustic"
    named = choose_diarizer(settings(tmp_path, DIARIZATION_MODEL="ours", DIARIZATION_ENGINE="pyannote"))
    assert named.engine == "pyannote"
    assert "ours" in named.fix
    (tmp_path / "models" / "ours").mkdir(parents=True)
    (tmp_path / "models" / "ours" / "config.yaml").write_text("pipeline: {}")
    choice = choose_diarizer(chosen)
    assert choice.engine == "pyannote"
    assert "ours" in choice.reason
    monkeypatch.setattr(engine_choice, "installed", lambda module: module not in {"sherpa_onnx", "pyannote.audio"})
    assert choose_diarizer(chosen).engine == "acoustic"


def test_auto_takes_sherpa_onnx_where_it_is_installed_and_its_weights_are_to_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_choice, "installed", lambda module: module == "sherpa_onnx")
    offline, online = settings(tmp_path), load_settings({"DATA_DIR": str(tmp_path)})
    choice = choose_diarizer(offline)
    assert choice.engine == "acoustic"
    assert "colloquy models pull sherpa-wespeaker" in choice.fix
    assert choose_diarizer(online, ask_hub=lambda _: True).engine == "sherpa_onnx"
    assert choose_diarizer(online, ask_hub=lambda _: False).engine == "acoustic"
    folder = tmp_path / "models" / "sherpa-wespeaker"
    folder.mkdir(parents=True)
    for name in ("segmentation.onnx", "embedding.onnx"):
        (folder / name).touch()
    assert choose_diarizer(offline).engine == "sherpa_onnx"
    mine = settings(tmp_path, DIARIZATION_SHERPA_MODEL="mine")
    assert choose_diarizer(mine).engine == "acoustic"


def test_auto_takes_a_converted_pipeline_first_unless_a_gpu_is_named(tmp_path: Path) -> None:
    (tmp_path / "models" / "ours-onnx").mkdir(parents=True)
    (tmp_path / "models" / "ours-onnx" / "executor.json").write_text("{}")
    chosen = settings(tmp_path, DIARIZATION_MODEL="ours")
    assert choose_diarizer(chosen).engine == "pyannote_onnx"
    assert choose_diarizer(settings(tmp_path, DIARIZATION_MODEL="ours", DIARIZATION_DEVICE="cuda")).engine == "acoustic"
    engine = executor_diarizer(settings(tmp_path, DIARIZATION_MODEL="ours", DIARIZATION_MODE="fast"))
    assert (engine.capabilities().engine, engine.capabilities().model) == ("pyannote_onnx", "ours")


def test_the_hubs_token_is_in_no_environment(tmp_path: Path) -> None:
    chosen = settings(tmp_path, **PROFILES["pyannote"])
    assert "hf_hush" not in str(hosting(chosen, 1).child_environment())
    assert "hf_hush" not in repr(vars(pyannote_diarizer(chosen)))


def test_recognition_may_use_all_cores_and_diarization_half_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for cores, (recognition, diarization) in {1: (1, 1), 2: (2, 1), 3: (3, 1), 8: (8, 4)}.items():
        monkeypatch.setattr("os.sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        chosen = settings(tmp_path)
        assert (asr_threads(chosen), diarizer_threads(chosen)) == (recognition, diarization)
    named = settings(tmp_path, ASR_THREADS="5", DIARIZATION_THREADS="3")
    assert (asr_threads(named), diarizer_threads(named)) == (5, 3)
