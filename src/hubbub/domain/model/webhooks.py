"""Webhooks: the URLs that get events, and what happened when they were sent."""

from typing import Literal, get_args

from typing_extensions import TypedDict

from hubbub.domain.model.base import Absent, Timestamp, Wire
from hubbub.domain.model.followers import FollowerState

WebhookEvent = Literal[
    "message.sent",
    "message.edited",
    "message.deleted",
    "message.pinned",
    "message.unpinned",
    "reaction.added",
    "reaction.removed",
    "member.joined",
    "member.left",
    "member.removed",
    "member.banned",
    "member.unbanned",
    "member.role_changed",
    "room.created",
    "room.updated",
    "room.archived",
    "room.restored",
]
"""The types of events that a webhook can get: those of a room's log."""
WEBHOOK_EVENTS: tuple[str, ...] = get_args(WebhookEvent)
WEBHOOK = "webhook:"
"""The beginning of the name of a webhook's follower. Its id follows."""
TEST_EVENT = "webhook.test"
"""The type of the event that users send to try a webhook."""
LOST_EVENT = "webhook.lost"
"""The type of the entry in the list of deliveries when the log has lost events before they were sent."""


class Delivery(Wire):
    """An attempt to send an event to a webhook."""

    at: Timestamp
    """When the attempt ended."""
    type: str
    """The type of the event; `webhook.test` for a test event. `webhook.lost` stands for events that the log
    no longer had when they could be sent: `seq` is the last one of them."""
    room: int | None
    """The room of the event; null for a test event."""
    seq: int | None
    """The event's seq in the room; null for a test event."""
    status: int | None
    """The status of the receiver's response; null if there was none."""
    milliseconds: int
    """How long the attempt took."""
    error: str | None
    """Why the attempt failed, for people; null if it succeeded."""


class Webhook(Wire):
    """A URL that gets the events of one room, or of all public rooms."""

    id: int
    room: int | None
    """The id of its room; null for a webhook of the site, which gets the events of all public rooms."""
    name: str
    url: str
    events: list[WebhookEvent]
    """The types of events that it gets."""
    state: FollowerState
    """`paused` webhooks keep their place in the log and get what they missed when they are resumed."""
    paused_reason: str | None
    """Why the server has paused the webhook; null if a user has, or if it is not paused."""
    created_by: int
    """The id of the user who created it."""
    created_at: Timestamp
    rotated_at: Timestamp | None
    """When the secret was replaced. The secret before signs for another day."""
    waiting_count: int
    """The number of entries of the log that the webhook has not handled yet, of all types."""
    oldest_at: Timestamp | None
    """The time of the oldest of these entries."""
    failing_since: Timestamp | None
    """When the first of the present failures happened; null if the last attempt succeeded."""
    next_attempt_at: Timestamp | None
    dead_letter_count: int
    """The number of events that the server has given up."""
    last_delivery: Delivery | None
    """The last attempt; null before the first one."""
    secret: str | Absent = None
    """What the receiver verifies signatures with. Only the answers to the creation and to a new secret have it."""


class WebhookAnswer(TypedDict):
    """The id of the webhook that a command has created, and whether it has the secret of the command."""

    webhook: int
    is_secret: bool
