"""The adapters that the main tests leave to these are bound to their contracts here."""

import importlib
from pathlib import Path

import pytest

from tests.contracts.suite import BINDINGS
from tests.contracts.test_contract_coverage import ELSEWHERE, adapter_modules, bind_all, implementations, names

pytestmark = pytest.mark.timeout(120)  # torch and all engines are imported


def test_what_is_declared_to_be_bound_here_is_bound_here() -> None:
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        importlib.import_module(f"tests.engines.{path.stem}")
    assert set(names(BINDINGS)) >= ELSEWHERE


def test_no_adapter_that_needs_an_extra_is_forgotten() -> None:
    bind_all()
    assert set(names(implementations(adapter_modules()) - BINDINGS)) <= ELSEWHERE
