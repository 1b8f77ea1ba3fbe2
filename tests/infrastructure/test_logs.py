"""The log's parts, each by itself: masking, escaping, and the two forms of a line."""

import io
import json
import logging
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from infrastructure.load_settings import load_settings, secret_values
from infrastructure.log_config import configure_logging, start_logging
from infrastructure.log_settings import Log
from infrastructure.logs.console import ConsoleLines
from infrastructure.logs.event import told
from infrastructure.logs.masking import MASK, Mask

KEY = "cq_" + "8fK2" * 9 + "abcdef"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    ("said", "secret"),
    [
        (f"refused {KEY}", KEY),
        (f"Authorization: Bearer {JWT}", JWT),
        ("headers: [(b'x-api-key', b'plainly-secret')]", "plainly-secret"),
        ("{'Authorization': 'Token plainly-secret'}", "plainly-secret"),
        ("Cookie: session=abc; other=plainly", "plainly"),
        ('{"password": "correct horse battery"}', "horse"),
        ("connection to postgresql+psycopg://me:p@ss@db/colloquy failed", "p@ss"),
        ("GET https://s3/b/k?X-Amz-Credential=me&X-Amz-Signature=0123456789abcdef", "0123456789abcdef"),
        ("GET /api/v1/tasks?limit=3&access_token=plainly-secret HTTP/1.1", "plainly-secret"),
        ("amqps://guest:plainly@broker:5671", "plainly"),
        ("whsec_bm90IGEgc2VjcmV0IG9mIGFueWJvZHk=", "bm90IGEg"),
        ("hub said no to hf_abcdefghijklmnop", "hf_abcdefghijklmnop"),
        ("host=db user=me password=hush-hush dbname=c", "hush-hush"),
        ("sk-proj-0123456789abcdef", "0123456789abcdef"),
        ("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
        ("the word is tulip field", "tulip field"),
        ("the word is tulip%20field", "tulip%20field"),
    ],
)
def test_secrets_are_known_by_their_shape_their_name_and_their_value(said: str, secret: str) -> None:
    masked = Mask(["tulip field"]).text(said)
    assert secret not in masked
    assert MASK in masked


@pytest.mark.parametrize(
    "said",
    [
        "the lease's token is 3 of 4 tokens",
        "http://127.0.0.1:8000/docs",
        "task 0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e left",
        "window/0/0-300000",
        "[SQL: SELECT tasks.id FROM tasks]",
    ],
)
def test_what_is_no_secret_is_left(said: str) -> None:
    assert Mask(["hush-hush"]).text(said) == said


def test_what_stands_under_a_secrets_name_is_one_at_any_depth() -> None:
    event = told(
        {"event": "e", "s3": {"secret_key": "a", "at": [{"Password": "b"}], "port": 1}, "api_key": "c"}, Mask()
    )
    assert event == {"event": "e", "s3": {"secret_key": MASK, "at": [{"Password": MASK}], "port": 1}, "api_key": MASK}


@pytest.mark.parametrize(
    "unit", ["a://", "token ", "eyJ-", "x" * 50, "password='", "bearer a", "cookie:", "a@", "'\","]
)
def test_nothing_takes_long_to_mask(unit: str) -> None:
    began = time.process_time()
    Mask(["hush-hush"]).text(unit * (32_000 // len(unit)))
    assert time.process_time() - began < 1.0


def test_the_secrets_of_the_configuration_are_its_secret_settings_and_the_passwords_of_its_addresses() -> None:
    settings = load_settings({
        "DATABASE_URL": "postgresql+psycopg://me:data%20base@db/c", "S3_SECRET_KEY": "storekey", "QUEUE_URL": "redis://q",
        "MODELS_HUB_TOKEN": "hf_hush", "OTEL_EXPORTER_OTLP_HEADERS": "x-key=collector",
    })  # fmt: skip
    assert sorted(secret_values(settings)) == ["data%20base", "hf_hush", "storekey", "x-key=collector"]


def lines_of(error: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in error.getvalue().splitlines()]


def test_a_line_of_json_is_elastic_common_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    error = io.StringIO()
    monkeypatch.setattr(sys, "stderr", error)
    configure_logging(Log(format="json"), "api")
    log = structlog.get_logger()
    with bound_contextvars(request_id="from-the-edge"):
        log.info("request", method="GET", route="/x/{id}", status=200, milliseconds=1.5, owner=UUID(int=1), sent=7)
        log.warning("engine child died", output="one\ntwo", nothing=None)
        try:
            int("no good")
        except ValueError:
            log.exception("attempt_failed", code="internal_error")
        logging.getLogger("uvicorn.error").warning("third %s", "party")
    request, child, failed, foreign = lines_of(error)
    assert request | {"@timestamp": "", "process.pid": 0, "service.node.name": "", "service.version": ""} == {
        "@timestamp": "", "log.level": "info", "message": "request", "event.action": "request", "ecs.version": "8.17.0",
        "service.name": "colloquy", "service.version": "", "service.node.name": "", "process.name": "api",
        "process.pid": 0, "event.duration": 1_500_000, "http.request.method": "GET", "url.path": "/x/{id}",
        "http.response.status_code": 200, "user.id": str(UUID(int=1)), "http.response.body.bytes": 7,
        "http.request.id": "from-the-edge",
    }  # fmt: skip
    assert (child["event.action"], child["message"]) == ("engine_child_died", "engine child died")
    assert child["colloquy.output"] == "one\ntwo"
    assert (failed["error.type"], failed["error.message"], failed["error.code"]) == (
        "ValueError", "invalid literal for int() with base 10: 'no good'", "internal_error",
    )  # fmt: skip
    assert 'int("no good")' in str(failed["error.stack_trace"])
    assert (foreign["message"], foreign["log.logger"]) == ("third party", "uvicorn.error")
    assert "event.action" not in foreign
    assert {line["http.request.id"] for line in lines_of(error)} == {"from-the-edge"}


def test_nothing_that_is_said_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unsayable:
        def __str__(self) -> str:
            raise RuntimeError

    error = io.StringIO()
    monkeypatch.setattr(sys, "stderr", error)
    configure_logging(Log(format="json"), "api")
    odd = {"number": 10**40, "not_one": float("nan"), "half": "\udc80", "deep": [[[[[[1]]]]]], "nobody": Unsayable()}
    structlog.get_logger().info("odd", **odd)
    (line,) = lines_of(error)
    assert (line["colloquy.number"], line["colloquy.half"]) == (str(10**40), "\\udc80")
    error.close()  # nobody reads any more
    structlog.get_logger().info("unheard")


def test_in_the_console_a_trace_follows_on_lines_that_no_event_begins_like() -> None:
    event = told({"event": "e", "timestamp": "T", "level": "error", "a": "x y", "b": "", "trace": "one\ntwo"}, Mask())
    assert ConsoleLines(colours=False)(event).splitlines() == [
        f"T [error    ] {'e':<30} a='x y' b=''", "    | one", "    | two",
    ]  # fmt: skip
    assert ConsoleLines(colours=True)(event).startswith("\x1b[2mT\x1b[0m")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_nobody_caught_is_logged_like_the_rest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    error = io.StringIO()
    monkeypatch.setattr(sys, "stderr", error)
    start_logging(load_settings({"LOG_FORMAT": "json", "LOG_FOLDER": str(tmp_path / "logs")}), "api")

    def fail() -> None:
        raise RuntimeError("token=plainly-secret")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    try:
        fail()
    except RuntimeError as failure:
        sys.excepthook(RuntimeError, failure, failure.__traceback__)
    logging.getLogger("third").warning("%d", "no number")
    said = [(line["message"], line["log.level"]) for line in lines_of(error)]
    assert said == [("uncaught in thread", "critical"), ("uncaught", "critical"), ("%d", "warning")]
    assert "plainly-secret" not in error.getvalue()
    assert (tmp_path / "logs" / "api.log").read_text() == error.getvalue()
    root = logging.getLogger()
    assert root.handlers
