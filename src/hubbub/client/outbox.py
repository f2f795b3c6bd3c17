"""Outgoing commands, sans-I/O: sent in order, and again if that is harmless."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hubbub.client.entries import Frame
from hubbub.client.refusals import AGAIN, PATIENCE, Interrupted, refusal


@dataclass(slots=True, eq=False)
class Command:
    """A command and its callback.

    With a key it may be sent any number of times and is executed once.
    """

    type: str
    fields: Mapping[str, Any]
    answer: Callable[[Frame | Exception], None]
    not_before: float = 0.0
    sent_at: float = 0.0

    @property
    def repeats(self) -> bool:
        """Whether it is sent again until it is answered."""
        return "key" in self.fields


class Outbox:
    """Commands that wait or are sent. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._waiting: dict[Command, None] = {}
        self._sent: dict[int, Command] = {}

    def add(self, command: Command) -> None:
        self._waiting[command] = None

    def forget(self, command: Command) -> None:
        """Drop a command whose caller has given up. The server may still execute it."""
        self._waiting.pop(command, None)
        for number in [number for number, sent in self._sent.items() if sent is command]:
            del self._sent[number]

    def due(self, now: float, numbers: Iterator[int]) -> Iterator[Frame]:
        """Yield the commands to send now."""
        for command in [waiting for waiting in self._waiting if waiting.not_before <= now]:
            del self._waiting[command]
            number = next(numbers)
            command.sent_at = now
            self._sent[number] = command
            yield {"id": number, "type": command.type, **command.fields}

    def next_due(self) -> float | None:
        """Return when the next waiting command may be sent; None if there is none."""
        return min((command.not_before for command in self._waiting), default=None)

    def oldest(self) -> float | None:
        """Return when the longest-unanswered command was sent; None if all are answered."""
        first = next(iter(self._sent.values()), None)
        return None if first is None else first.sent_at

    def answered(self, frame: Frame, now: float) -> bool:
        """Handle a response. Return whether it answers one of these commands."""
        command = self._sent.pop(frame["re"], None)
        if command is None:
            return False
        if "error" not in frame:
            command.answer(frame["ok"])
            return True
        error = refusal(frame["error"])
        if command.repeats and error.code in AGAIN:
            command.not_before = now + (PATIENCE if error.retry_after is None else error.retry_after)
            self._waiting[command] = None
        else:
            command.answer(error)
        return True

    def lost(self) -> None:
        """Handle the end of a connection.

        Unanswered commands are repeated in their order, or their outcome is reported as unknown.
        """
        unanswered, self._sent = self._sent, {}
        again = {command: None for command in unanswered.values() if command.repeats}
        self._waiting = {**again, **self._waiting}
        for command in unanswered.values():
            if not command.repeats:
                command.answer(Interrupted())

    def end(self, error: Exception) -> None:
        """Fail all commands: there will be no further connection."""
        everything = [*self._sent.values(), *self._waiting]
        self._sent, self._waiting = {}, {}
        for command in everything:
            command.answer(error)
