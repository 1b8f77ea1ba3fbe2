"""The composition root: which adapter stands behind which port, chosen by the settings; nothing is built on import."""

from infrastructure.wiring.callers import Callers


class Container(Callers):
    """Every object of a process, made when it is first asked for."""
