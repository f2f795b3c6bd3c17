"""The settings of the site: set and unset."""

from hubbub.domain.commands import SetSetting, SettingCommand, UnsetSetting
from hubbub.domain.errors import BadRequest, Conflict, NotFound
from hubbub.domain.events import SettingChanged, SiteChanges, SiteUpdated
from hubbub.domain.model import Nothing
from hubbub.domain.site_settings import NAMES, SHOWN, SiteSettings, Value, WrongValue, check, decode, encode
from hubbub.features.shared.guard import Request
from hubbub.features.shared.handlers import handles
from hubbub.storage import site_settings
from hubbub.storage.transaction import Transaction

UNKNOWN = "There is no such setting."


@handles(SetSetting)
def set_setting(request: Request[SetSetting], tx: Transaction) -> Nothing:
    """Store a value. The value that holds already changes nothing."""
    command = request.command
    if command.setting not in NAMES:
        raise NotFound(UNKNOWN)
    _refuse_fixed(command)
    try:
        text = encode(check(command.setting, command.value))
    except WrongValue as error:
        raise BadRequest(f"value: {error}.") from None
    before = site_settings.load(tx.connection).get(command.setting)
    if before == text:
        return {}
    site_settings.put(tx, command.setting, text)
    _tell(request, tx, before, text)
    return {}


@handles(UnsetSetting)
def unset_setting(request: Request[UnsetSetting], tx: Transaction) -> Nothing:
    """Delete a value, also one that this version does not know."""
    command = request.command
    before = site_settings.load(tx.connection).get(command.setting)
    if command.setting not in NAMES and before is None:
        raise NotFound(UNKNOWN)
    _refuse_fixed(command)
    if before is None:
        return {}
    site_settings.remove(tx, command.setting)
    _tell(request, tx, before, None)
    return {}


def _refuse_fixed(command: SettingCommand) -> None:
    if command.fixed is not None:
        raise Conflict(command.fixed.sentence())


def _tell(
    request: Request[SetSetting] | Request[UnsetSetting], tx: Transaction, before: str | None, text: str | None
) -> None:
    """Append the events: for each node, and for clients if they show the setting and it changed."""
    name = request.command.setting
    value = None if text is None else decode(name, text)
    tx.append(SettingChanged(setting=name, value=value, by=request.actor.id))
    if name in SHOWN and _in_effect(name, before) != _in_effect(name, text):
        tx.append(SiteUpdated(changes=SiteChanges.model_validate({name: _in_effect(name, text)})))


def _in_effect(name: str, text: str | None) -> Value:
    """Return the value that holds if `text` is stored. What can't be used is ignored."""
    default: Value = SiteSettings.model_fields[name].default
    if text is None:
        return default
    try:
        return decode(name, text)
    except WrongValue:
        return default
