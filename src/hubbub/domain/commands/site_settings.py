"""Commands for the settings of the site, which staff changes while the site runs."""

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, WithJsonSchema

from hubbub.domain.commands.base import Command, Requires
from hubbub.domain.commands.examples import Example
from hubbub.domain.errors import Conflict, NotFound
from hubbub.domain.model import SECURITY, SITE, Actor, Nothing
from hubbub.domain.site_settings import Fixed, Value
from hubbub.domain.text import MAX_ID, MAX_SETTING, check

SettingName = Annotated[str, Field(max_length=64, pattern=r"^[a-z][a-z_]*$", examples=["name"])]


def _check_value(value: object) -> object:
    """Return a value of a type that settings have, and of a bounded size."""
    if isinstance(value, str):
        if len(value) > MAX_SETTING:
            raise ValueError(f"must have at most {MAX_SETTING} characters")
        return check(value)
    if not isinstance(value, int) or abs(value) > MAX_ID:
        raise ValueError("must be a text, a whole number, true or false")
    return value


SettingValue = Annotated[
    Value,
    BeforeValidator(_check_value),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "boolean"},
                {"type": "integer", "minimum": -MAX_ID, "maximum": MAX_ID},
                {"type": "string", "maxLength": MAX_SETTING},
            ]
        }
    ),
]


class SettingCommand(Command[Nothing]):
    """The base class of what staff does with a setting of the site."""

    requires = (Requires.OPEN_ACCOUNT, Requires.STAFF)
    errors = (NotFound, Conflict)
    fixed: ClassVar[Fixed | None] = None
    """What fixes the value on this node. The engine sets it. It is no field, so that a client cannot
    send it."""
    setting: SettingName
    """The setting's name."""

    def note_fixed(self, fixed: Fixed | None) -> None:
        """Set what fixes the value, before the command is queued."""
        vars(self)["fixed"] = fixed

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SECURITY, SITE)


class SetSetting(SettingCommand):
    """Set a setting of the site. It takes effect at once. Idempotent."""

    rest = ("PUT", "/api/settings/{setting}")
    value: SettingValue
    """The new value, in the type of the setting."""
    example = Example({"setting": "name", "value": "The Lounge"})


class UnsetSetting(SettingCommand):
    """Remove the value of a setting, so that its default holds. Idempotent.

    Also removes a value of another version, which this one does not have.
    """

    rest = ("DELETE", "/api/settings/{setting}")
    example = Example({"setting": "name"})
