"""JSON bodies are what they are described as: 0 is no truth value, and a number in quotes is text.

Litestar converts all of a handler's arguments as it must those of a query, which are text; bodies are judged before.
"""

import re
from typing import Any

from litestar import Request
from msgspec import ValidationError, convert

from entrypoints.http.errors import InvalidFields

_PLACE = re.compile(r" - at `\$\.(.+)`$")


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON has the types that its handler names, without conversion."""

    async def json(self) -> Any:  # noqa: ANN401 - as its base says
        """Return the body.

        Raises:
            InvalidFields: it holds something else.
        """
        body = await super().json()
        if (data := self.route_handler.parsed_data_field) is not None:
            try:
                convert(body, data.annotation)
            except ValidationError as error:
                place = _PLACE.search(str(error))
                name = place[1] if place else "data"
                raise InvalidFields({name: f"{name}: {str(error).partition(' - ')[0]}"}) from error
        return body
