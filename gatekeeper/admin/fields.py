"""How amounts and instants look in the admin API's answers: exact numbers of credits, ISO times.

What is read is described in `teams_words`.
"""

from typing import Annotated, Any

from pydantic import PlainSerializer, WithJsonSchema

from gatekeeper.dialects.facts import credits_number
from gatekeeper.web.answers import iso_time

Credits = Annotated[
    int,
    PlainSerializer(credits_number, return_type=Any),
    WithJsonSchema({"type": "number", "description": "credits, at most six decimals"}),
]
"""Micro-credits inside, an exact number of credits in JSON."""

At = Annotated[int, PlainSerializer(iso_time), WithJsonSchema({"type": "string", "format": "date-time"})]
"""Milliseconds inside, an ISO time in JSON."""
