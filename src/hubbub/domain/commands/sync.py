"""Catching up: answered by the readers, never by the journal."""

from typing import Annotated, Literal

from pydantic import Field

from hubbub.domain.commands.base import Seq, Topic
from hubbub.domain.model import Frozen
from hubbub.domain.text import MAX_PAGE, ShortText


class EventsSince(Frozen):
    """What happened in `topic` after position (`epoch`, `after`); no epoch means the present one."""

    type: Literal["events.since"] = "events.since"
    topic: Topic
    after: Seq
    """The seq up to which one has everything."""
    epoch: ShortText | None = None
    """The epoch in which one got it."""
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = MAX_PAGE
    """How many events at most; a page also ends before it grows over 256 KiB."""
