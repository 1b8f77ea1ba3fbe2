import time
from pathlib import Path

import pytest

from infrastructure.load_settings import BadSettings, effective, load_settings, markdown_table, variables
from infrastructure.settings import PROJECT


def problems(**environment: str) -> list[str]:
    with pytest.raises(BadSettings) as caught:
        load_settings(environment)
    return caught.value.problems


def test_defaults_need_no_environment() -> None:
    settings = load_settings({})
    assert (settings.api.host, settings.api.port) == ("127.0.0.1", 8000)
    assert settings.max.file_size == 500 * 1024 * 1024
    assert settings.max.duration == 8 * 3600


def test_variables_reach_their_fields() -> None:
    settings = load_settings({"ASR_ENGINE": "pocketsphinx", "API_PORT": " 8123 ", "MODELS_DOWNLOAD": "false"})
    assert settings.asr.engine == "pocketsphinx"
    assert settings.api.port == 8123
    assert settings.models.download is False


def test_o12_every_problem_is_listed_at_once() -> None:
    found = problems(ASR_ENGIN="x", ASR_ENGINE="foo", API_PORT="abc", MAX_DURATION="-1", ENGINE_COLOUR="red")
    assert len(found) == 5
    assert any(problem.startswith("ASR_ENGIN:") and "did you mean ASR_ENGINE?" in problem for problem in found)
    assert any(problem.startswith("ENGINE_COLOUR:") for problem in found)
    assert any(problem.startswith("ASR_ENGINE:") and "'foo'" in problem for problem in found)
    assert any(problem.startswith("API_PORT:") for problem in found)
    assert any(problem.startswith("MAX_DURATION:") for problem in found)


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"ENGINE_WINDOW_SECONDS": "300", "MAX_DURATION": "200"}, "ENGINE_WINDOW_SECONDS"),
        ({"ASR_SCRIPT": "sleep:1"}, "ASR_SCRIPT"),
        ({"ASR_ENGINE": "pocketsphinx", "ASR_DEVICE": "cuda:1"}, "ASR_DEVICE"),
        ({"ASR_DEVICE": "cpu", "ASR_COMPUTE_TYPE": "float16"}, "ASR_COMPUTE_TYPE"),
        ({"ASR_ENGINE": "openai_compatible"}, "ASR_REMOTE_URL"),
        ({"QUEUE_URL": "redis://localhost"}, "QUEUE_URL"),
        ({"QUEUE_URL": "amqp://localhost", "DATABASE_URL": "sqlite+aiosqlite:////tmp/c"}, "QUEUE_URL"),
        ({"QUEUE_URL": "kafka://localhost"}, "QUEUE_URL"),
        ({"WORKER_DEVICE_CLASS": "cuda"}, "WORKER_DEVICE_CLASS"),
        ({"WORKER_DEVICE_CLASSES": "cpu,Tensor Cores"}, "WORKER_DEVICE_CLASSES"),
        (
            {
                "ASR_ENGINE": "openai_compatible",
                "ASR_REMOTE_URL": "http://127.0.0.1:8001/v1",
                "ASR_REMOTE_PATIENCE_SECONDS": "120",
            },
            "ASR_REMOTE_PATIENCE_SECONDS",
        ),
    ],
)
def test_o12_contradictions_are_refused(environment: dict[str, str], named: str) -> None:
    [problem] = problems(**environment)
    assert problem.startswith(named)


def test_strangers_variables_are_left_alone() -> None:
    strange = {"API_KEY": "somebody's", "LOG_DIR": "/var/log", "MAX_JOBS": "3", "PATH": "/bin", "HOME": "/"}
    assert load_settings(strange) == load_settings({})


def test_secrets_are_masked() -> None:
    given = {"MODELS_HUB_URL": "https://me:hush@mirror.example", "MODELS_HUB_TOKEN": "hf_hush"}
    shown = dict(effective(load_settings(given)))
    assert shown["MODELS_HUB_TOKEN"] == "********"  # noqa: S105 - the mask
    assert shown["MODELS_HUB_URL"] == "https://me:********@mirror.example"
    shown = dict(effective(load_settings({"ASR_REMOTE_KEY": "sk-hush"})))
    assert shown["ASR_REMOTE_KEY"] == "********"
    [problem] = problems(ASR_REMOTE_KEY="sk-hush\nnewline")
    assert "sk-hush" not in problem


def test_any_setting_may_stand_in_a_file(tmp_path: Path) -> None:
    url = tmp_path / "database_url"
    url.write_text("postgresql+psycopg://colloquy:hush@postgres/colloquy\n")
    settings = load_settings({"DATABASE_URL_FILE": str(url)})
    assert settings.database_url == "postgresql+psycopg://colloquy:hush@postgres/colloquy"
    assert load_settings({"DATABASE_URL_FILE": str(url)}, changed={"DATABASE_URL": ""}).database_url == ""
    assert load_settings({"SOMEBODYS_FILE": "/nowhere"}) == load_settings({})


@pytest.mark.parametrize(
    ("content", "others", "said"),
    [
        (None, {}, "S3_SECRET_KEY_FILE: cannot read"),
        (b" \n", {}, "is empty"),
        (b"\xff\xfe", {}, "is no text"),
        (b"hush" * 20_000, {}, "is larger than any setting"),
        (b"hush", {"S3_SECRET_KEY": "hush"}, "S3_SECRET_KEY and S3_SECRET_KEY_FILE are both set"),
    ],
)
def test_o12_a_file_that_cannot_be_used_is_refused_at_the_start(
    content: bytes | None, others: dict[str, str], said: str, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    [problem] = problems(S3_SECRET_KEY_FILE=str(file), **others)
    assert said in problem
    assert "hush" not in problem


def test_o12_a_wrong_value_in_a_file_is_masked_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgres://colloquy:hush@postgres/colloquy")
    [problem] = problems(DATABASE_URL_FILE=str(tmp_path / "url"))
    assert problem.startswith("DATABASE_URL:")
    assert "hush" not in problem
    (tmp_path / "secret").write_text("changeme")
    [problem] = problems(S3_SECRET_KEY_FILE=str(tmp_path / "secret"), API_HOST="0.0.0.0")  # noqa: S104 - it is refused
    assert "placeholder" in problem


def test_every_variable_is_described() -> None:
    assert all(variable.description for variable in variables())


def test_the_readme_shows_the_configuration_as_it_is() -> None:
    assert markdown_table() in Path(PROJECT / "README.md").read_text(encoding="utf-8")


def test_settings_load_in_no_time() -> None:
    started = time.perf_counter()
    load_settings({})
    assert time.perf_counter() - started < 0.2
