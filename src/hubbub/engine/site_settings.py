"""The settings of the site in effect, for the code that decides.

They are replaced as a whole when a change is published, before its author gets the answer. No
decision reads the database.
"""

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from hubbub.domain.commands import Command, SettingCommand
from hubbub.domain.errors import HubbubError
from hubbub.domain.events import Entry, SettingChanged
from hubbub.domain.site_settings import Effective, Setting, SiteSettings, describe, effective, encode
from hubbub.engine.ports import Read
from hubbub.settings import Settings
from hubbub.storage import site_settings
from hubbub.storage.db_errors import StatementRejected

RETRY = 0.5
"""Seconds between two attempts to read the settings after the database went back in time."""

logger = structlog.get_logger(__name__)


class LiveSettings:
    """The settings in effect on this node: fixed at start, else stored, else the default.

    Must be used on the event loop's thread.
    """

    def __init__(self, given: Settings, stored: Mapping[str, str], read: Read) -> None:
        self._given = given
        self._fixed = given.fixed
        self._read = read
        self._heard = 0
        self._reading: asyncio.Task[None] | None = None
        self._replace(stored)
        for name, problem in self._effective.problems.items():
            logger.warning("setting_ignored", setting=name, reason=problem, advice=f"hubbub settings unset {name}")

    @property
    def present(self) -> SiteSettings:
        """The settings in effect now. Do not keep them."""
        return self._effective.settings

    def describe(self) -> list[Setting]:
        """Return all settings as staff sees them."""
        return describe(self._effective, self._fixed, self._stored)

    def prepare(self, command: Command) -> None:
        """Note in a command what fixes its setting on this node."""
        if isinstance(command, SettingCommand):
            command.note_fixed(self._fixed.get(command.setting))

    def hear(self, entries: Sequence[Entry]) -> None:
        """Take over published changes, in the order of the log."""
        for entry in entries:
            if isinstance(entry.event, SettingChanged):
                self._hear(entry.event)

    def reload(self) -> None:
        """Read the settings again, since the database went back in time. Does not wait."""
        self.stop()
        self._reading = asyncio.create_task(self._reload())

    def stop(self) -> None:
        if self._reading is not None:
            self._reading.cancel()

    def _hear(self, event: SettingChanged) -> None:
        self._heard += 1
        stored = {name: text for name, text in self._stored.items() if name != event.setting}
        if event.value is not None:
            stored[event.setting] = encode(event.value)
        self._replace(stored)
        logger.info("setting_changed", setting=event.setting, value=event.value, user=event.by)

    async def _reload(self) -> None:
        while True:
            heard = self._heard
            try:
                stored = await self._read(site_settings.load)
            except (HubbubError, StatementRejected):
                await asyncio.sleep(RETRY)
                continue
            if heard == self._heard:  # else the answer may be older than what was heard meanwhile
                self._replace(stored)
                return

    def _replace(self, stored: Mapping[str, str]) -> None:
        self._stored = dict(stored)
        self._effective: Effective = effective(self._given, self._fixed, stored)
