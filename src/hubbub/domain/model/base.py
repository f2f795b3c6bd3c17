"""What all models are, and what stands for nothing and for a moment."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema


class Frozen(BaseModel):
    """Values, not records: immutable, strictly typed, blind to fields they do not know. Errors do not quote them."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", use_attribute_docstrings=True, hide_input_in_errors=True
    )


class Wire(BaseModel):
    """The same for what comes from JSON or rows: enums and the like are read from their plain values."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True, hide_input_in_errors=True)


Absent = SkipJsonSchema[None]
"""A field that is left out where it has no value: it is never null on the wire, and the contract says so."""

TIMESTAMP = {
    "type": "string",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
    "examples": ["2026-11-22T13:05:03.123Z"],
}
Timestamp = Annotated[str, WithJsonSchema(TIMESTAMP)]
"""RFC 3339 in UTC, to the millisecond."""
