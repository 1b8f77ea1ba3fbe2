"""The description of the API: valid, complete, true, and shown without anything from outside."""

import html
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar.routes import HTTPRoute
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from application import announce_task
from application.announce_task import event_body
from domain.task import TaskError
from domain.webhook import EventType
from entrypoints.http.description import complete
from entrypoints.http.form_fields import TranscribeFields
from entrypoints.http.problem_types import KINDS
from tests.builders import NOW, a_task
from tests.entrypoints.http_service import Api


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return complete(Api(tmp_path_factory.mktemp("described")).app().openapi_schema.to_schema())


OPEN = ("/health", "/health/live", "/health/ready", "/auth/register", "/auth/token")
"""What needs no key: whoever asks there has none yet, or runs the service."""


def operations(spec: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, operation) for path, item in spec["paths"].items() for method, operation in item.items()]


async def test_options_names_every_method_of_a_path(api: Api, spec: dict[str, Any]) -> None:
    async with api.client(await api.issue_key()) as client:
        for path in ("/api/v1/tasks/{task_id}", "/api/v1/keys", "/api/v1/webhooks", "/api/v1/usage"):
            answer = await client.options(path.replace("{task_id}", "0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e"))
            told = {each.strip().lower() for each in answer.headers["Allow"].split(",")}
            assert told == {"options", *spec["paths"][path]}, path


async def test_it_is_valid_openapi_as_served(api: Api) -> None:
    async with api.client() as client:
        served = (await client.get("/docs/openapi.json")).json()
    assert served["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(served).validate()


def test_every_route_is_described(api: Api, spec: dict[str, Any]) -> None:
    internal = ("/", "/docs", "/problems")
    for route in (each for each in api.app().routes if isinstance(each, HTTPRoute)):
        path = re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path)
        assert path in spec["paths"] or path == "/" or path.startswith(internal[1:]), path


def test_every_operation_has_a_name_a_summary_and_its_problems(spec: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(spec)]
    assert len(names) == len(set(names)) >= 18
    assert {"transcribe", "get_status", "get_result", "list_tasks", "get_task", "cancel_task", "delete_task"} < set(
        names
    )
    for _, path, operation in operations(spec):
        assert operation["summary"]
        assert operation["description"]
        failures = {status for status in operation["responses"] if status >= "400"}
        if "health" not in path:
            assert {"400", "401", "500"} <= failures
            assert "404" in failures or "{" not in path
        if path.startswith(("/v1/", "/compat/platform/", "/api/v1/speaker/")):
            continue  # these answer in the envelope of the API that they speak
        # A range behind the end has no body.
        for status in failures - {"503"} if "health" in path else failures - {"416"}:
            content = operation["responses"][status]["content"]
            assert list(content) == ["application/problem+json"]
            for example in content["application/problem+json"]["examples"].values():
                assert KINDS[example["value"]["code"]].status == int(status)


def test_every_operation_but_health_needs_a_key(spec: dict[str, Any]) -> None:
    assert spec["components"]["securitySchemes"] == {"api_key": {"type": "http", "scheme": "bearer"}}
    for _, path, operation in operations(spec):
        is_open = path.endswith(OPEN)
        assert operation.get("security", []) == ([] if is_open else [{"api_key": []}]), path


async def test_a_key_is_really_asked_for_where_it_is_said(api: Api, spec: dict[str, Any]) -> None:
    async with api.client() as client:
        for method, path, operation in operations(spec):
            answer = await client.request(
                method, re.sub(r"{\w+}", "1", re.sub(r"{\w+_id}", "0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e", path))
            )
            assert (answer.status_code == 401) == bool(operation.get("security")), path


def test_the_form_names_every_field(spec: dict[str, Any]) -> None:
    body = spec["paths"]["/api/v1/transcribe"]["post"]["requestBody"]
    form = body["content"]["multipart/form-data"]["schema"]
    assert set(form["properties"]) == {
        "file",
        "sha256",
        "upload_id",
        "clip_id",
        "url",
        *TranscribeFields.__struct_fields__,
    }
    assert form["properties"]["format"]["enum"] == ["json", "text", "srt", "vtt", "tsv", "rttm"]
    assert body["required"]


def test_the_result_is_shown_in_every_format(spec: dict[str, Any]) -> None:
    content = spec["paths"]["/api/v1/result/{task_id}"]["get"]["responses"]["200"]["content"]
    shown = {name for described in content.values() for name in described["examples"]}
    assert shown == {"json", "text", "srt", "vtt", "tsv", "rttm"}
    result = content["application/json"]["examples"]["json"]["value"]
    assert {"task_id", "status", "language", "model", "segments", "full_text", "processing_time"} <= set(result)


def contents(operation: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """What an operation takes and answers: where, of which media type, and as what."""
    bodies = {"request": operation.get("requestBody", {}), **operation["responses"]}
    return [
        (where, kind, content) for where, body in bodies.items() for kind, content in body.get("content", {}).items()
    ]


def test_every_request_and_answer_has_an_example_that_its_schema_allows(spec: dict[str, Any]) -> None:
    count = 0
    for method, path, operation in [*operations(spec), *operations({"paths": spec["webhooks"]})]:
        for where, kind, content in contents(operation):
            if kind.endswith("octet-stream"):
                continue  # a recording
            assert content["examples"], (method, path, where, kind)
            judge = OAS31Validator({**content["schema"], "components": spec["components"]})
            for example in content["examples"].values():
                wrong = [error.message for error in judge.iter_errors(example["value"])]
                if kind == "multipart/form-data":  # whose example leaves out the recording
                    wrong = [each for each in wrong if "file' is a required" not in each]
                assert wrong == [], (method, path, where, kind)
                count += 1
    assert count > 500


def test_an_answer_without_a_body_is_said_to_have_none(spec: dict[str, Any]) -> None:
    silent = [operation for _, _, operation in operations(spec) if "204" in operation["responses"]]
    assert silent
    assert all("content" not in operation["responses"]["204"] for operation in silent)


@pytest.mark.parametrize("event", [each for each in EventType if each is not EventType.TEST])
def test_webhooks_are_described_as_they_are_sent(spec: dict[str, Any], event: EventType) -> None:
    operation = spec["webhooks"][event.value]["post"]
    assert {each["name"] for each in operation["parameters"]} == {
        "webhook-id", "webhook-timestamp", "webhook-signature"
    }  # fmt: skip
    told = msgspec.json.decode(sent(event))
    content = operation["requestBody"]["content"]["application/json"]
    OAS31Validator(content["schema"]).validate(told)
    shown = content["examples"][event.value]["value"]
    assert shown.keys() == told.keys()
    assert shown["data"].keys() == told["data"].keys()
    assert shown["data"]["links"].keys() == told["data"]["links"].keys()


def sent(event: EventType) -> bytes:
    """Return what is really sent of such an event."""
    task = a_task()
    if event is EventType.REVISED:
        return event_body(event, NOW, announce_task._revision(replace(task, revision=2), task.id))
    if event is not EventType.QUEUED:
        task.claim(worker="test", now=NOW)
    if event is EventType.COMPLETED:
        task.complete(token=task.token, now=NOW, language="en", duration=61_500, processing_ms=9)
    elif event is EventType.FAILED:
        task.fail(token=task.token, error=TaskError("not_media", "no"), now=NOW)
    elif event is EventType.CANCELLED:
        task.cancelled(token=task.token, now=NOW)
    return event_body(event, NOW, announce_task._facts(task))


async def test_the_page_shows_it_all_and_needs_nothing_else(api: Api, spec: dict[str, Any]) -> None:
    async with api.client() as client:
        answer = await client.get("/docs")
        style = await client.get("/docs/style.css")
    page = answer.text
    for _, path, operation in operations(spec):
        assert path.replace("{", "{") in page
        assert html.escape(operation["summary"]) in page
    for code in KINDS:
        assert f'id="{code}"' in page
    for name in (*TranscribeFields.__struct_fields__, *spec["webhooks"], "webhook-signature"):
        assert f"<code>{name}</code>" in page
    assert "<script" not in page
    fetched = re.findall(r"""(?:src|href)="([^"#]+)""", page) + re.findall(r"url\(|@import", page + style.text)
    assert set(fetched) == {"/docs/style.css", "/docs/openapi.json"}
    named = set(re.findall(r"https?://[^/\s<\"]+", page))
    assert named <= {"http://test", "http://", "https://", "https://…", "https://example.org", "https://example.com"}, (
        named
    )
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert style.headers["content-type"].startswith("text/css")


async def test_the_page_escapes_what_the_caller_says(api: Api) -> None:
    async with api.client() as client:
        page = await client.get("/docs", headers={"host": "x"})
        assert page.status_code == 200
        evil = await client.get("/docs", headers={"host": 'a"><script>alert(1)</script>'})
    assert "<script" not in evil.text


async def test_the_type_of_every_problem_leads_to_its_explanation(api: Api) -> None:
    async with api.client(await api.issue_key()) as client:
        problem = (await client.get("/api/v1/tasks?limit=0")).json()
        answer = await client.get(problem["type"])
        assert answer.headers["location"] == "/docs#invalid_options"
        page = (await client.get("/docs")).text
        assert (await client.get("/problems/never-heard-of")).headers["location"] == "/docs#problems"
        assert (await client.get("/")).headers["location"] == "/docs"
    assert 'id="invalid_options"' in page
    assert 'id="problems"' in page


async def test_every_answer_carries_the_headers_of_a_closed_surface(api: Api) -> None:
    async with api.client() as client:
        for path in ("/health", "/api/v1/tasks", "/nowhere", "/docs", "/docs/style.css", "/docs/nowhere", "/"):
            headers = (await client.get(path)).headers
            assert "default-src 'none'" in headers["content-security-policy"], path
            assert "frame-ancestors 'none'" in headers["content-security-policy"], path
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cache-control"] == "no-store"
            assert "server" not in headers
            assert len(headers["x-request-id"]) == 32
