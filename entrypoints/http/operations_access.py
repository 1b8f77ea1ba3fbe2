"""How a login's body is described: its handler reads it itself."""

from dataclasses import dataclass
from typing import cast

import msgspec
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema

from entrypoints.http.schemas_access import Credentials


@dataclass
class LogInOperation(Operation):
    """A login, as a form or as JSON."""

    def __post_init__(self) -> None:
        """Add the body."""
        described = msgspec.json.schema(Credentials)["$defs"]["Credentials"]
        del described["title"]
        described["additionalProperties"] = True  # which the server must ignore, says RFC 6749, 3.2
        # Litestar writes plain mappings out as they are.
        content = {
            kind: OpenAPIMediaType(schema=cast("Schema", described))
            for kind in ("application/x-www-form-urlencoded", "application/json")
        }
        self.request_body = RequestBody(content=content, required=True)
