"""Which of the promises' tests wait for leases, deadlines and processes most of the time: `make test` runs those beside
the others."""

import pytest

PATIENT = (
    "test_c6",
    "test_d0",
    "test_o01",
    "test_o02",
    "test_o06",
    "test_o07",
    "test_o08",
    "test_o10_end_to_end",
    "test_r",
    "test_u04",
    "test_u05",
    "test_u07",
    "test_u08",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them, by the names of their files."""
    for item in items:
        if item.path.parent.name == "promises" and item.path.name.startswith(PATIENT):
            item.add_marker(pytest.mark.patient)
