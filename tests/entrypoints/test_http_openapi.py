"""The description of the API: valid, complete, true, and shown without anything from outside."""

import re
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from entrypoints.http.form import TranscribeFields
from entrypoints.http.problem_types import KINDS
from tests.entrypoints.http_service import Api


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


@pytest.fixture
def spec(api: Api) -> dict[str, Any]:
    described: dict[str, Any] = api.app().openapi_schema.to_schema()
    return described


def operations(spec: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, operation) for path, item in spec["paths"].items() for method, operation in item.items()]


async def test_it_is_valid_openapi_as_served(api: Api) -> None:
    async with api.client() as client:
        served = (await client.get("/docs/openapi.json")).json()
    assert served["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(served).validate()


def test_every_route_is_described(api: Api, spec: dict[str, Any]) -> None:
    internal = ("/", "/docs", "/problems")
    for route in api.app().routes:
        path = re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path)
        assert path in spec["paths"] or path == "/" or path.startswith(internal[1:]), path


def test_every_operation_has_a_name_a_summary_and_its_problems(spec: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(spec)]
    assert len(names) == len(set(names)) == 15
    assert {"transcribe", "get_status", "get_result", "list_tasks", "get_task", "cancel_task", "delete_task"} < set(
        names
    )
    for _, path, operation in operations(spec):
        assert operation["summary"]
        assert operation["description"]
        failures = {status for status in operation["responses"] if status >= "400"}
        if "health" not in path:
            assert {"400", "401", "500"} <= failures
            assert "404" in failures or path.endswith(("/tasks", "/models"))
        for status in failures - {"503"} if "health" in path else failures:
            content = operation["responses"][status]["content"]
            assert list(content) == ["application/problem+json"]
            for example in content["application/problem+json"]["examples"].values():
                assert KINDS[example["value"]["code"]].status == int(status)


def test_every_operation_but_health_needs_a_key(spec: dict[str, Any]) -> None:
    assert spec["components"]["securitySchemes"] == {"api_key": {"type": "http", "scheme": "bearer"}}
    for _, path, operation in operations(spec):
        assert operation.get("security", []) == ([] if "health" in path else [{"api_key": []}]), path


async def test_a_key_is_really_asked_for_where_it_is_said(api: Api, spec: dict[str, Any]) -> None:
    async with api.client() as client:
        for method, path, operation in operations(spec):
            answer = await client.request(method, path.replace("{task_id}", "0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e"))
            assert (answer.status_code == 401) == bool(operation.get("security")), path


def test_the_form_names_every_field(spec: dict[str, Any]) -> None:
    body = spec["paths"]["/api/v1/transcribe"]["post"]["requestBody"]
    form = body["content"]["multipart/form-data"]["schema"]
    assert set(form["properties"]) == {"file", *TranscribeFields.__struct_fields__}
    assert form["properties"]["format"]["enum"] == ["json", "text", "srt", "vtt", "tsv", "rttm"]
    assert body["required"]


def test_the_result_is_shown_in_every_format(spec: dict[str, Any]) -> None:
    content = spec["paths"]["/api/v1/result/{task_id}"]["get"]["responses"]["200"]["content"]
    shown = {name for described in content.values() for name in described["examples"]}
    assert shown == {"json", "text", "srt", "vtt", "tsv", "rttm"}
    result = content["application/json"]["examples"]["json"]["value"]
    assert {"task_id", "status", "language", "model", "segments", "full_text", "processing_time"} <= set(result)


async def test_the_page_shows_it_all_and_needs_nothing_else(api: Api, spec: dict[str, Any]) -> None:
    async with api.client() as client:
        answer = await client.get("/docs")
        style = await client.get("/docs/style.css")
    page = answer.text
    for _, path, operation in operations(spec):
        assert path.replace("{", "{") in page
        assert operation["summary"] in page
    for code in KINDS:
        assert f'id="{code}"' in page
    for name in TranscribeFields.__struct_fields__:
        assert f"<code>{name}</code>" in page
    assert "<script" not in page
    fetched = re.findall(r"""(?:src|href)="([^"#]+)""", page) + re.findall(r"url\(|@import", page + style.text)
    assert set(fetched) == {"/docs/style.css", "/docs/openapi.json"}
    assert set(re.findall(r"https?://[^/\s<\"]+", page)) == {"http://test"}
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
