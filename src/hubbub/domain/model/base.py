"""The base classes of all models, and the types of absent fields and timestamps."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema


class Frozen(BaseModel):
    """An immutable, strictly typed model that ignores unknown fields.

    Errors never quote the input.
    """

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", use_attribute_docstrings=True, hide_input_in_errors=True
    )


class Wire(BaseModel):
    """A model for values from JSON or rows: enums accept their plain values."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True, hide_input_in_errors=True)


def as_json(value: object) -> object:
    """Return a model as a dictionary, absent fields left out. For encoders of JSON."""
    if isinstance(value, Wire):
        return value.model_dump(exclude_none=True)
    raise TypeError(f"{type(value).__name__} is not JSON")


Absent = SkipJsonSchema[None]
"""A field that is left out if it has no value. It is never null on the wire; the contract says so."""

TIMESTAMP = {
    "type": "string",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
    "examples": ["2026-11-22T13:05:03.123Z"],
}
Timestamp = Annotated[str, WithJsonSchema(TIMESTAMP)]
"""RFC 3339 in UTC, with milliseconds."""
