"""How frames of clients become commands and signals: `type` tells them apart."""

from typing import Annotated, get_args

from pydantic import Field, TypeAdapter

from hubbub.domain.commands.unions import AnySignal, AnyWireCommand

WireCommand = Annotated[AnyWireCommand, Field(discriminator="type")]
WIRE_COMMANDS: TypeAdapter[AnyWireCommand] = TypeAdapter(WireCommand)
SIGNALS: TypeAdapter[AnySignal] = TypeAdapter(Annotated[AnySignal, Field(discriminator="type")])
SIGNAL_TYPES = tuple(signal.model_fields["type"].default for signal in get_args(AnySignal))
"""A tuple, not a set: the value that is looked up comes from a client and may be unhashable."""
