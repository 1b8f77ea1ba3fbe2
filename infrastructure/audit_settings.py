"""What can be configured about the audit log; for how long it is kept stands with the other ages."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from domain.audit import network_of

if TYPE_CHECKING:
    from infrastructure.settings import Settings


class Audit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who did what."""

    # A network tells an attack from at home, and no one's flat.
    addresses: Annotated[
        Literal["full", "network", "none"],
        Meta(
            description="What the audit log keeps of a client's address: all of it, its network (/24, of IPv6 /48), or "
            "nothing."
        ),
    ] = "network"


def shortening(settings: "Settings") -> Callable[[str], str]:
    """Return what makes of an address what is kept of it."""
    kept: dict[str, Callable[[str], str]] = {"full": str, "network": network_of, "none": lambda _: ""}
    return kept[settings.audit.addresses]
