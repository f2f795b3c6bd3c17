"""The presence reducer: who receives which change, and when.

Time is a number.
"""

from typing import Any

import pytest

from hubbub.domain.model import Status
from hubbub.domain.text import timestamp
from hubbub.engine.ephemeral import TOGETHER
from hubbub.engine.presence import GRACE, Presences
from hubbub.gateways.native.connection import DROP_AFTER
from hubbub.gateways.websocket.timer_wheel import STEP

ANNA, BERT = 1, 2
ONLINE = Status(status="online")


class FakeConnection:
    """A connection as the reducer sees it: only its object identity matters."""


class ManualClock:
    """Presences on a clock that the test advances."""

    def __init__(self) -> None:
        self.time = 1_000.0
        self.woken = 0
        self.presences = Presences(lambda: int(self.time * 1000), lambda: self.time)
        self.presences.wake = self._wake

    def _wake(self) -> None:
        self.woken += 1

    def enter(self, user: int, chosen: Status = ONLINE, version: int = 1) -> Any:
        connection: Any = FakeConnection()
        self.presences.expect(user, connection)
        self.presences.connected(user, connection, chosen, version)
        return connection

    def look(self, connection: Any, *users: int) -> dict[int, str]:
        self.presences.watch(connection, users)
        return {each.user: each.status for each in self.presences.announce(users)}

    def news(self) -> dict[Any, dict[int, str]]:
        return {
            connection: {user: self.presences.of(user).status for user in users}
            for connection, users in self.presences.news().items()
        }


@pytest.fixture
def clocked() -> ManualClock:
    return ManualClock()


def test_only_watchers_receive_changes_and_each_once(clocked: ManualClock) -> None:
    bert, other = clocked.enter(BERT), clocked.enter(3)
    assert clocked.look(bert, ANNA) == {ANNA: "offline"}
    anna = clocked.enter(ANNA)
    assert clocked.news() == {bert: {ANNA: "online"}}
    clocked.presences.idle(ANNA, anna, True)
    clocked.presences.idle(ANNA, anna, True)
    assert clocked.news() == {bert: {ANNA: "away"}}
    assert clocked.news() == {}
    assert other not in clocked.news()


def test_reloading_a_page_does_not_appear_as_going_offline(clocked: ManualClock) -> None:
    bert, anna = clocked.enter(BERT), clocked.enter(ANNA)
    clocked.look(bert, ANNA)
    clocked.presences.disconnected(ANNA, anna)
    clocked.time += GRACE - 0.1
    assert clocked.news() == {}
    again = clocked.enter(ANNA)
    clocked.time += GRACE
    assert clocked.news() == {}
    clocked.presences.disconnected(ANNA, again)
    clocked.presences.disconnected(ANNA, again)
    due = clocked.presences.next_due()
    assert due is not None
    clocked.time = due
    assert clocked.news() == {bert: {ANNA: "offline"}}


def test_one_active_device_of_two_keeps_the_user_online(clocked: ManualClock) -> None:
    bert, phone, store = clocked.enter(BERT), clocked.enter(ANNA), clocked.enter(ANNA)
    assert clocked.look(bert, ANNA) == {ANNA: "online"}
    clocked.presences.idle(ANNA, phone, True)
    assert clocked.news() == {}
    clocked.presences.idle(ANNA, store, True)
    assert clocked.news() == {bert: {ANNA: "away"}}
    clocked.presences.disconnected(ANNA, store)
    clocked.time += 2 * GRACE
    assert clocked.news() == {}
    assert clocked.presences.of(ANNA).status == "away"


def test_an_invisible_user_looks_offline_without_a_status_text(clocked: ManualClock) -> None:
    bert, _ = clocked.enter(BERT), clocked.enter(ANNA)
    clocked.look(bert, ANNA)
    clocked.presences.chose(ANNA, Status(status="invisible", text="not here", emoji="🙈"), 2)
    assert clocked.news() == {bert: {ANNA: "offline"}}
    assert clocked.presences.of(ANNA).model_dump(exclude_none=True) == {"user": ANNA, "status": "offline"}
    assert not clocked.presences.is_visible(ANNA)


def test_a_chosen_status_expires(clocked: ManualClock) -> None:
    until = timestamp(int(clocked.time * 1000) + 60_000)
    bert, _ = clocked.enter(BERT), clocked.enter(ANNA, Status(status="dnd", text="Lunch", until=until))
    assert clocked.look(bert, ANNA) == {ANNA: "dnd"}
    clocked.time += 59.9
    assert clocked.news() == {}
    due = clocked.presences.next_due()
    assert due is not None
    clocked.time = due
    assert clocked.news() == {bert: {ANNA: "online"}}
    assert clocked.presences.of(ANNA).text is None


def test_an_older_status_never_replaces_a_newer_one(clocked: ManualClock) -> None:
    connection: Any = FakeConnection()
    clocked.presences.expect(ANNA, connection)
    clocked.presences.chose(
        ANNA, Status(status="dnd"), 7
    )  # Another device chose this while this connection was greeted.
    clocked.presences.connected(ANNA, connection, ONLINE, 6)
    assert clocked.presences.of(ANNA).status == "dnd"


def test_a_watcher_who_starts_during_a_change_is_consistent_in_the_end(clocked: ManualClock) -> None:
    bert, carl, anna = clocked.enter(BERT), clocked.enter(3), clocked.enter(ANNA)
    assert clocked.look(bert, ANNA) == {ANNA: "online"}
    clocked.presences.idle(ANNA, anna, True)
    assert clocked.look(carl, ANNA) == {ANNA: "away"}
    clocked.presences.idle(ANNA, anna, False)  # The user is back before any watcher was notified.
    assert clocked.news()[carl] == {ANNA: "online"}


def test_users_who_are_offline_and_unwatched_are_forgotten(clocked: ManualClock) -> None:
    for user in range(1, 200):
        connection = clocked.enter(user)
        clocked.look(connection, user + 1, user + 1_000)
        clocked.presences.disconnected(user, connection)
    assert len(clocked.presences) > 0
    clocked.time += 2 * GRACE
    clocked.news()
    assert len(clocked.presences) == 0
    assert clocked.presences.next_due() is None


def test_reminders_do_not_pile_up(clocked: ManualClock) -> None:
    clocked.enter(ANNA)
    for step in range(1_000):
        until = timestamp(int(clocked.time * 1000) + 10_000_000 - step)
        clocked.presences.chose(ANNA, Status(status="dnd", until=until), 2 + step)
    assert len(clocked.presences._due) < 200


def test_a_half_open_connection_ends_within_45_seconds() -> None:
    assert DROP_AFTER + STEP + GRACE + TOGETHER <= 45
