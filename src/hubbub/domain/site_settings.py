"""The settings of the site, which its owners and admins change while it runs.

One model validates their values, wherever they come from: flags, variables, the file, the database,
REST or the command line. What is fixed by a flag, a variable or the file wins over the database, and
the database wins over the default.
"""

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from hubbub.domain.model import Wire
from hubbub.domain.text import check_line

Value = bool | int | str
Source = Literal["default", "database", "environment", "file", "flag", "argument"]
"""Where a value comes from. `argument` is one that the host application gave to `Hubbub`."""
SHOWN = frozenset({"name", "signup"})
"""The settings that the site shows to every client, in `GET /api/site`."""


def _check_name(text: str) -> str:
    line = check_line(text)
    if not line:
        raise ValueError("must not be empty")
    return line


def _setting(default: Value, does: str, *, label: str, group: str, allowed: str, unit: str = "", **bounds: Any) -> Any:
    """Return a field. `allowed` says which values are allowed, `does` what the setting does."""
    shown: Any = {"does": does, "group": group, "unit": unit}
    return Field(default, title=label, description=allowed, json_schema_extra=shown, **bounds)


SiteName = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_check_name)]
SignUp = Literal["invite", "open", "closed"]


class SiteSettings(BaseModel):
    """The settings of the site, immutable. `hubbub.settings.Settings` has the same fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: SiteName = _setting(
        "Hubbub",
        "The name of the site, shown in the browser and at start.",
        label="Name",
        group="Site",
        allowed="the name of this site, 1 to 64 characters",
    )
    signup: SignUp = _setting(
        "invite",
        "Whether visitors may create accounts: with an invite, freely, or not at all.",
        label="Sign-up",
        group="Access",
        allowed="invite, open or closed",
    )
    guests: bool = _setting(
        False,
        "Whether plain-text clients may enter the lobby without an account, under a free name.",
        label="Guests",
        group="Access",
        allowed="on or off",
    )
    retention_days: int = _setting(
        30,
        "How long events stay in the log, so that an offline client can catch up. Messages are kept forever.",
        label="Keep events",
        group="Log",
        allowed="days from 1 to 36500",
        unit="days",
        ge=1,
        le=36_500,
    )
    session_idle_days: int = _setting(
        14,
        "How long a session lives without being used.",
        label="End unused sessions",
        group="Sessions",
        allowed="days from 1 to 3650",
        unit="days",
        ge=1,
        le=3_650,
    )
    session_max_days: int = _setting(
        90,
        "How long a session lives in any case.",
        label="End all sessions",
        group="Sessions",
        allowed="days from 1 to 3650",
        unit="days",
        ge=1,
        le=3_650,
    )


NAMES = tuple(SiteSettings.model_fields)


class WrongValue(ValueError):
    """A value that a setting does not allow. The message says what is allowed, and never quotes it."""


class Fixed(NamedTuple):
    """Where a value comes from that can't be changed while the site runs."""

    source: Source
    where: str
    """For people: `the variable HUBBUB_NAME`."""

    def sentence(self) -> str:
        return f"This setting is fixed by {self.where}. Remove it there and restart the server to change it here."


class Effective(NamedTuple):
    """The settings in effect, where they come from, and why stored values were ignored."""

    settings: SiteSettings
    sources: Mapping[str, Source]
    problems: Mapping[str, str]


class Setting(Wire):
    """A setting of the site, as staff sees it."""

    setting: str
    """Its name, as in the settings file."""
    label: str
    """A short name for people."""
    group: str
    """The heading under which it belongs."""
    description: str
    """What it does."""
    allowed: str
    """Which values are allowed, in words."""
    kind: Literal["text", "choice", "switch", "number", "unknown"]
    """`unknown`: this version does not have the setting. It can only be unset."""
    unit: str
    """The unit of a number, such as `days`; else empty."""
    choices: tuple[str, ...]
    """The values of a choice; else empty."""
    minimum: int | None
    """The lowest number, or the least number of characters of a text."""
    maximum: int | None
    """The highest number, or the greatest number of characters of a text."""
    default: Value | None
    value: Value | None
    """The value in effect; null if the setting is unknown."""
    source: Source
    """Where the value comes from."""
    fixed: bool
    """Whether the value can't be changed while the site runs."""
    fixed_by: str | None
    """What fixes the value, such as `the variable HUBBUB_NAME`."""
    stored: bool
    """Whether the database has a value."""
    problem: str | None
    """Why the value in the database is ignored."""


def check(name: str, value: object, *, strict: bool = True) -> Value:
    """Return the value of a known setting, as it is stored.

    Without `strict` a text may stand for a number or a switch, as in a variable. Raises WrongValue.
    """
    try:
        checked: Value = getattr(SiteSettings.model_validate({name: value}, strict=strict), name)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] == "value_error":  # of our own validators
            raise WrongValue(first["msg"].removeprefix("Value error, ")) from None
        raise WrongValue(f"must be {_in_words(SiteSettings.model_fields[name].description or '')}") from None
    return checked


def _in_words(allowed: str) -> str:
    return allowed.replace("days from", "a number of days from") if allowed.startswith("days") else allowed


def encode(value: Value) -> str:
    """Return a value as the database stores it."""
    return orjson.dumps(value).decode()


def decode(name: str, text: str) -> Value:
    """Return the value that the database stores for a known setting. Raises WrongValue."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise WrongValue("is not valid JSON") from None
    return check(name, value)


def effective(given: SiteSettings, fixed: Collection[str], stored: Mapping[str, str]) -> Effective:
    """Return the settings in effect.

    `given` has the values of `fixed` settings, and the defaults of the others. What is stored and
    can't be used is ignored: a value of another version never keeps a server from starting.
    """
    values: dict[str, Value] = {name: getattr(given, name) for name in NAMES}
    sources: dict[str, Source] = {}
    problems: dict[str, str] = {}
    for name, text in stored.items():
        if name not in SiteSettings.model_fields:
            problems[name] = "this version does not have the setting"
            continue
        try:
            value = decode(name, text)
        except WrongValue as error:
            problems[name] = f"the stored value {error}"
            continue
        if name not in fixed:
            values[name], sources[name] = value, "database"
    return Effective(SiteSettings(**values), sources, problems)


def describe(found: Effective, fixed: Mapping[str, Fixed], stored: Mapping[str, str]) -> list[Setting]:
    """Return all settings in their order, then stored ones that this version does not have."""
    return [_known(name, found, fixed.get(name), stored) for name in NAMES] + [
        _unknown(name, found) for name in sorted(stored) if name not in SiteSettings.model_fields
    ]


def _known(name: str, found: Effective, fixed: Fixed | None, stored: Mapping[str, str]) -> Setting:
    field, schema = SiteSettings.model_fields[name], _schemas()[name]
    choices = tuple(schema.get("enum", ()))
    kind: Any = {"boolean": "switch", "integer": "number", "string": "choice" if choices else "text"}[schema["type"]]
    return Setting(
        setting=name,
        label=schema["title"],
        group=schema["group"],
        description=schema["does"],
        allowed=schema["description"],
        kind=kind,
        unit=schema["unit"],
        choices=choices,
        minimum=schema.get("minimum", schema.get("minLength")),
        maximum=schema.get("maximum", schema.get("maxLength")),
        default=field.default,
        value=getattr(found.settings, name),
        source=fixed.source if fixed is not None else found.sources.get(name, "default"),
        fixed=fixed is not None,
        fixed_by=fixed.where if fixed is not None else None,
        stored=name in stored,
        problem=found.problems.get(name),
    )


def _unknown(name: str, found: Effective) -> Setting:
    return Setting(
        setting=name, label=name, group="Unknown", description="A setting of another version of Hubbub.", allowed="",
        kind="unknown", unit="", choices=(), minimum=None, maximum=None, default=None, value=None, source="database",
        fixed=False, fixed_by=None, stored=True, problem=found.problems[name],
    )  # fmt: skip


@lru_cache(maxsize=1)
def _schemas() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = SiteSettings.model_json_schema()["properties"]
    return found
