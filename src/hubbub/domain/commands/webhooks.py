"""Commands for webhooks.

The gateway builds them from requests: it checks the URL and makes the secret. The engine notes what
happened when it sent events.
"""

from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, Field, StringConstraints
from typing_extensions import TypeVar

from hubbub.domain.commands.base import Command, Id, MessageSeq, Requires, Seq
from hubbub.domain.commands.followers import FollowerCommand
from hubbub.domain.errors import Conflict, NotFound
from hubbub.domain.model import SECURITY, Actor, Nothing, room_topic
from hubbub.domain.model.webhooks import WEBHOOK_EVENTS, WebhookAnswer, WebhookEvent
from hubbub.domain.text import MAX_WEBHOOK_NAME, MAX_WEBHOOK_URL, Key, at_most, check_line

A = TypeVar("A", default=Any)


def _sorted(events: tuple[WebhookEvent, ...]) -> tuple[WebhookEvent, ...]:
    """Return each type once, in the order of the list of all types."""
    return tuple(each for each in WEBHOOK_EVENTS if each in events)


def _not_blank(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


WebhookName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_WEBHOOK_NAME),
    AfterValidator(check_line),
    AfterValidator(_not_blank),
    Field(examples=["Tracker"]),
]
WebhookUrl = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_WEBHOOK_URL),
    AfterValidator(check_line),
    Field(examples=["https://receiver.example/hook"]),
]
WebhookEvents = Annotated[
    tuple[WebhookEvent, ...],
    Field(min_length=1, max_length=len(WEBHOOK_EVENTS), strict=False, examples=[["message.sent"]]),
    at_most(len(WEBHOOK_EVENTS)),
    AfterValidator(_sorted),
]


class Attempt(NamedTuple):
    """An attempt to send an event. `topic` and `seq` are None for a test event.

    `at` and `milliseconds` are in milliseconds, `error` is None if the receiver has accepted it.
    """

    at: int
    type: str
    room: int | None
    seq: int | None
    status: int | None
    milliseconds: int
    error: str | None


class WebhookCommand(Command[A]):
    """The base class of what managers do with a webhook."""

    errors = (NotFound, Conflict)
    webhook: Id

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SECURITY,)


class CreateWebhook(Command[WebhookAnswer]):
    """Create a webhook. It gets the events after its creation."""

    room: Id | None
    name: WebhookName
    url: WebhookUrl
    events: WebhookEvents
    secret: str
    key: Key | None = None

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SECURITY,) if self.room is None else (SECURITY, room_topic(self.room))


class UpdateWebhook(WebhookCommand[Nothing]):
    """Change the fields that are given. Another URL, or the end of a pause, is tried at once."""

    name: WebhookName | None = None
    url: WebhookUrl | None = None
    events: WebhookEvents | None = None
    paused: bool | None = None


class RotateWebhookSecret(WebhookCommand[Nothing]):
    """Replace the secret. The present one signs for another day, besides the new one."""

    secret: str


class DeleteWebhook(WebhookCommand[Nothing]):
    """Delete a webhook with everything that is stored about its deliveries."""


class ReplayWebhook(WebhookCommand[Nothing]):
    """Send the events of a room after `seq` again. Without a room, those of all rooms."""

    room: Id | None = None
    seq: Seq = 0


class RetryWebhookDeadLetter(WebhookCommand[Nothing]):
    """Send an event again that the server has given up. Without a seq, all of them."""

    room: Id | None = None
    seq: MessageSeq | None = None


class DropWebhookDeadLetter(WebhookCommand[Nothing]):
    """Remove an event from the dead letters."""

    room: Id
    seq: MessageSeq


# --- of the engine ---------------------------------------------------------------------------------------------------


class NoteAttempts(Command[Nothing]):
    """Store attempts. Those of a webhook that is gone are dropped."""

    requires = (Requires.SYSTEM,)
    background = True
    webhook: Id
    attempts: tuple[Attempt, ...]

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return ()

    def size(self) -> int:
        return 128 * len(self.attempts)


class FinishDeliveries(FollowerCommand[Nothing]):
    """Store successful attempts together with the position after them."""

    webhook: Id
    attempts: tuple[Attempt, ...]

    def size(self) -> int:
        return 128 * len(self.attempts)


class SuspendWebhook(Command[Nothing]):
    """Pause a webhook, for a reason that its managers see. Its place in the log stays."""

    requires = (Requires.SYSTEM,)
    background = True
    webhook: Id
    reason: str

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SECURITY,)
