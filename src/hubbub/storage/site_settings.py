"""The settings of the site that were changed, as JSON by name."""

from sqlalchemy import Connection, delete, insert, select

from hubbub.storage.schema import site_settings
from hubbub.storage.transaction import Transaction


def load(connection: Connection) -> dict[str, str]:
    """Return all stored values by name, also those that this version does not know."""
    found = connection.execute(select(site_settings.c.setting, site_settings.c.value))
    return {row.setting: row.value for row in found}


def put(tx: Transaction, name: str, value: str) -> None:
    """Replace the value. Holds the security topic; append `setting.changed` next."""
    remove(tx, name)
    tx.execute(insert(site_settings).values(setting=name, value=value))


def remove(tx: Transaction, name: str) -> None:
    """Delete the value. Holds the security topic; append `setting.changed` next."""
    tx.execute(delete(site_settings).where(site_settings.c.setting == name))
