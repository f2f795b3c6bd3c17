"""Commands on their way, pure: in the order of the calls, again on the next connection where that is harmless."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hubbub.client.entries import Frame
from hubbub.client.refusals import AGAIN, PATIENCE, Interrupted, refusal


@dataclass(slots=True, eq=False)
class Command:
    """What is asked, and who wants to know. With a key it may be said any number of times, and is done once."""

    type: str
    fields: Mapping[str, Any]
    answer: Callable[[Frame | Exception], None]
    not_before: float = 0.0
    sent_at: float = 0.0

    @property
    def repeats(self) -> bool:
        """Whether it is said again until there is an answer."""
        return "key" in self.fields


class Outbox:
    """Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._waiting: dict[Command, None] = {}
        self._sent: dict[int, Command] = {}

    def add(self, command: Command) -> None:
        self._waiting[command] = None

    def forget(self, command: Command) -> None:
        """Nobody wants to know any more; what was said is said."""
        self._waiting.pop(command, None)
        for number in [number for number, one in self._sent.items() if one is command]:
            del self._sent[number]

    def due(self, now: float, numbers: Iterator[int]) -> Iterator[Frame]:
        """What is to be said now."""
        for command in [one for one in self._waiting if one.not_before <= now]:
            del self._waiting[command]
            number = next(numbers)
            command.sent_at = now
            self._sent[number] = command
            yield {"id": number, "type": command.type, **command.fields}

    def next_due(self) -> float | None:
        """When the next one that has to be patient may be said; None if there is none."""
        return min((one.not_before for one in self._waiting), default=None)

    def oldest(self) -> float | None:
        """When the one was said whose answer is waited for longest."""
        first = next(iter(self._sent.values()), None)
        return None if first is None else first.sent_at

    def answered(self, frame: Frame, now: float) -> bool:
        """Whether the answer was for one of these."""
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
        """The connection is gone: what has no answer is said again, in its old place, or its outcome is not known."""
        unanswered, self._sent = self._sent, {}
        again = {command: None for command in unanswered.values() if command.repeats}
        self._waiting = {**again, **self._waiting}
        for command in unanswered.values():
            if not command.repeats:
                command.answer(Interrupted())

    def end(self, error: Exception) -> None:
        """No connection will come any more."""
        everything = [*self._sent.values(), *self._waiting]
        self._sent, self._waiting = {}, {}
        for command in everything:
            command.answer(error)
