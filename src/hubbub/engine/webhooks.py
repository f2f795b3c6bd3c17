"""Sends events to webhooks. Each webhook is a follower, so that a dead receiver delays no other one.

* What is sent is read right before it is sent: the webhook, the right of its responsible user, and
  the event with the present text of its message.
* A failure is repeated, each time later, for about four days. Then the event becomes a dead letter.
* The receiver's answer is a status and a header. Its body is neither kept nor shown.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import NamedTuple

import structlog

from hubbub.clock import Clock
from hubbub.domain.commands.webhooks import Attempt, FinishDeliveries, NoteAttempts, SuspendWebhook
from hubbub.domain.errors import Busy, HubbubError, NotFound, RateLimited, Unavailable
from hubbub.domain.events import Entry, FollowerChanged
from hubbub.domain.model import SYSTEM, Actor
from hubbub.domain.model.webhooks import LOST_EVENT, WEBHOOK, WEBHOOK_EVENTS, Delivery
from hubbub.engine.follower import Follower, RetryLater
from hubbub.engine.followers import Followers
from hubbub.engine.journal import Journal
from hubbub.engine.ports import Read
from hubbub.features import webhooks
from hubbub.features.webhooks import NotResponsible, Outgoing, follower_of, scope_of
from hubbub.outbound import OutboundClient, RefusedAddress, RequestFailed, ResponseLimits
from hubbub.protocol import webhooks as protocol
from hubbub.storage import log
from hubbub.storage import webhooks as storage

INTERVAL = 15.0
"""Seconds between two comparisons of the webhooks with their followers."""
PATIENCE = 1.0
"""Seconds to wait after the database did not answer."""
LIMITS = ResponseLimits(seconds=10.0, connect_seconds=5.0, body_bytes=1_024)
SLOW = 1.0
"""Seconds. A receiver that takes longer for an answer is slow: it waits for slots with others like it."""
MAX_CHARACTERS = 64 * 1024
MOST_ATTEMPTS = 110
"""Attempts in a row after which an event becomes a dead letter. The first twelve take an hour, and each
other one an hour at most: together more than three days, and four at most."""
MOST_REFUSALS = 12
"""The same for an event that the receiver refuses: about an hour, since others wait behind it."""
REFUSING = frozenset({400, 413, 415, 422})
"""Statuses by which a receiver refuses an event for its content."""
OVERLOADED = frozenset({429, 502, 503, 504})
"""Statuses that say nothing about the event: the receiver, or a proxy in front of it, does not work."""
LONGEST_WAIT = 6 * 3_600.0
"""Seconds. A receiver cannot ask for a longer pause."""
DELETED = "The webhook was deleted."
GONE = "The receiver answered 410: it does not want any more events."
LOST = "The log no longer has the events up to this one. They were not sent."
MAX_TESTS = 4
"""Test events that are sent at a time."""

logger = structlog.get_logger(__name__)


class Outcome(NamedTuple):
    """An attempt, and how long the receiver asks to wait, in seconds."""

    attempt: Attempt
    retry_after: float | None


class Sender:
    """Sends single events."""

    def __init__(self, client: OutboundClient, read: Read, clock: Clock) -> None:
        self._client, self._read, self._clock = client, read, clock

    async def send(self, webhook: int, message: Outgoing) -> Outcome:
        """Send an event once. Raises HubbubError if the database does not answer."""
        epoch = await self._read(log.epoch)
        now = self._clock.now()
        text = protocol.test_text(webhook) if message.text is None else message.text
        content = protocol.body(message.type, message.at, text)
        id_ = protocol.message_id(epoch, webhook, message.room, now if message.seq is None else message.seq)
        headers = protocol.headers(message.secrets, id_, now // 1_000, content)
        begin = self._clock.monotonic()
        status: int | None = None
        wait: float | None = None
        try:
            response = await self._client.request("POST", message.url, headers=headers, body=content, limits=LIMITS)
        except (RefusedAddress, RequestFailed) as failure:
            error: str | None = str(failure)
        else:
            status, error = response.status, explain(response.status)
            wait = protocol.retry_after(response.headers.get("retry-after"), self._clock.now())
        milliseconds = round((self._clock.monotonic() - begin) * 1_000)
        place = (message.room, message.seq)
        return Outcome(Attempt(self._clock.now(), message.type, *place, status, milliseconds, error), wait)


def explain(status: int) -> str | None:
    """Return why a status is a failure; None for a success."""
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return f"The receiver answered {status}. Redirects are not followed: change the URL."
    return GONE if status == 410 else f"The receiver answered {status}."


class WebhookFollower(Follower):
    """Sends the events of a room, or of all public rooms, to one URL."""

    types = frozenset(WEBHOOK_EVENTS)
    max_characters = MAX_CHARACTERS

    def __init__(self, webhook: int, room: int | None, sender: Sender, read: Read, journal: Journal, clock: Clock):
        self.name, self.scope = follower_of(webhook), scope_of(room)
        self._webhook, self._room = webhook, room
        self._sender, self._read, self._journal, self._clock = sender, read, journal, clock
        self._took = 0.0
        self._asked: dict[str, float] = {}
        """When the running attempts have begun, by topic, in the clock's monotonic seconds."""

    @property
    def slow(self) -> bool:  # type: ignore[override]
        now = self._clock.monotonic()
        return max(self._took, *(now - begin for begin in self._asked.values()), 0.0) > SLOW

    @property
    def max_entries(self) -> int:  # type: ignore[override]
        return 1 if self.slow else 20

    async def handle(self, topic: str, entries: Sequence[Entry]) -> FinishDeliveries | None:
        """Send the entries that the webhook wants, one after the other."""
        done: int | None = None
        attempts: list[Attempt] = []
        try:
            types = await self._read(webhooks.wanted, self._webhook, topic)
            for entry in entries:
                if entry.event.type in types:
                    await self._deliver(topic, entry.seq, attempts, done)
                done = entry.seq
        except NotFound:
            raise RetryLater(None, DELETED) from None
        except NotResponsible:
            await self._note(attempts)
            await self._suspend(webhooks.NOT_RESPONSIBLE)
            raise RetryLater(None, webhooks.NOT_RESPONSIBLE, done=done) from None
        if not attempts:
            return None
        return FinishDeliveries(webhook=self._webhook, attempts=tuple(attempts))

    async def reset(self, topic: str, floor: int) -> None:
        """Note that the log has lost events before they were sent."""
        try:
            if not await self._read(webhooks.wanted, self._webhook, topic):
                return
        except (NotFound, NotResponsible):
            return
        room = int(topic.removeprefix(webhooks.ALL_ROOMS))
        await self._note([Attempt(self._clock.now(), LOST_EVENT, room, floor, None, 0, LOST)])

    async def _deliver(self, topic: str, seq: int, attempts: list[Attempt], done: int | None) -> None:
        """Send an event as it is now. Raises RetryLater if the receiver does not take it."""
        message = await self._read(webhooks.outgoing, self._webhook, topic, seq, self._clock.now())
        if message is None:
            return
        self._asked[topic] = self._clock.monotonic()
        try:
            attempt, wait = await self._sender.send(self._webhook, message)
        finally:
            del self._asked[topic]
        attempts.append(attempt)
        self._took = attempt.milliseconds / 1_000
        if attempt.error is None:
            return
        await self._note(attempts)
        if attempt.status == 410:
            await self._suspend(GONE)
        raise self._later(attempt, seq, wait, done)

    def _later(self, attempt: Attempt, seq: int, wait: float | None, done: int | None) -> RetryLater:
        answered = attempt.status is not None and attempt.status not in OVERLOADED
        return RetryLater(
            None,
            attempt.error or "",
            at_least=None if wait is None else min(wait, LONGEST_WAIT),
            done=done,
            only_topic=answered and self._room is None,
            failed=seq,
            most=MOST_REFUSALS if attempt.status in REFUSING else MOST_ATTEMPTS,
            refused=answered,
        )

    async def _note(self, attempts: Sequence[Attempt]) -> None:
        if attempts:
            await self._journal.submit(NoteAttempts(webhook=self._webhook, attempts=tuple(attempts)), SYSTEM)

    async def _suspend(self, reason: str) -> None:
        await self._journal.submit(SuspendWebhook(webhook=self._webhook, reason=reason), SYSTEM)


class Webhooks:
    """Keeps one follower for each webhook. Must be used on the event loop's thread."""

    def __init__(
        self, read: Read, journal: Journal, clock: Clock, client: OutboundClient, *, interval: float = INTERVAL
    ) -> None:
        self._read, self._journal, self._clock, self._interval = read, journal, clock, interval
        self._sender = Sender(client, read, clock)
        self._known: set[int] = set()
        self._wake = asyncio.Event()
        self._tests = 0

    def wake(self, entries: Sequence[Entry]) -> None:
        """Note that webhooks may have been created or deleted. Called with every published batch."""
        for entry in entries:
            event = entry.event
            if type(event) is FollowerChanged and event.follower.startswith(WEBHOOK):
                self._wake.set()
                return

    async def run(self, followers: Followers) -> None:
        """Keep the followers of all webhooks, for ever."""
        while True:
            self._wake.clear()
            wait = self._interval
            try:
                await self.compare(followers)
            except (Busy, Unavailable):
                wait = PATIENCE
            except Exception as error:  # a bug must not end the task
                logger.exception("webhooks_stumbled", exc_info=error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    async def compare(self, followers: Followers) -> None:
        """Add the followers of new webhooks, and remove those of deleted ones."""
        stored = dict(await self._read(storage.scopes))
        for webhook in stored.keys() - self._known:
            await followers.add(self.follower(webhook, stored[webhook]))
            self._known.add(webhook)
        gone = await self._read(storage.without_webhook, WEBHOOK)
        for name in {*gone, *map(follower_of, self._known - stored.keys())}:
            await followers.remove(name)
        self._known &= stored.keys()

    def follower(self, webhook: int, room: int | None) -> WebhookFollower:
        return WebhookFollower(webhook, room, self._sender, self._read, self._journal, self._clock)

    async def test(self, actor: Actor, webhook: int) -> Delivery:
        """Send a test event. Raises NotFound, Forbidden, RateLimited, Unavailable."""
        message = await self._read(webhooks.test_event, actor, webhook, self._clock.now())
        if self._tests >= MAX_TESTS:
            raise RateLimited("Other test events are being sent. Try again in a moment.", retry_after=2.0)
        self._tests += 1
        try:
            attempt, _ = await self._sender.send(webhook, message)
        finally:
            self._tests -= 1
        with contextlib.suppress(HubbubError):  # the answer counts, not the list
            await self._journal.submit(NoteAttempts(webhook=webhook, attempts=(attempt,)), SYSTEM)
        return webhooks.delivery(attempt)
