"""The base of the contract suites: one class of tests a port, bound to each adapter in a few lines.

A binding cannot weaken its contract: redefining an inherited test is an error when the class is made.
"""

from typing import Any

BINDINGS: set[type] = set()


class Suite:
    """A contract suite. Bind one with `class TestX(SomeContract, adapter=X): …` and a fixture that makes an X."""

    def __init_subclass__(cls, *, adapter: type | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        inherited = {name for base in cls.__mro__[1:] for name in vars(base) if name.startswith("test_")}
        if clash := inherited & {name for name in vars(cls) if name.startswith("test_")}:
            message = f"{cls.__name__} overrides contract tests: {sorted(clash)}"
            raise TypeError(message)
        if adapter is not None:
            BINDINGS.add(adapter)
