"""The query for missed events. Readers answer it, not the journal."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from hubbub.domain.commands.base import Seq, Topic
from hubbub.domain.commands.examples import Example
from hubbub.domain.model import Frozen
from hubbub.domain.text import MAX_PAGE, ShortText


class EventsSince(Frozen):
    """Get the events of `topic` after the position (`epoch`, `after`).
    Without `epoch`, the current epoch is meant."""

    type: Literal["events.since"] = "events.since"
    topic: Topic
    after: Seq
    """The seq up to which the client has all events."""
    epoch: ShortText | None = None
    """The epoch that seq belongs to."""
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = MAX_PAGE
    """The highest number of events in the page; a page also ends before it exceeds 256 KiB."""
    example: ClassVar[Example | None] = Example({"topic": "room:{room}", "after": 1, "limit": 50})
