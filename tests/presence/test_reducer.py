"""Presence as a reducer: who is told what, and when; time is a number."""

from typing import Any

import pytest

from hubbub.domain.model import Status
from hubbub.domain.text import timestamp
from hubbub.engine.ephemeral import TOGETHER
from hubbub.engine.presence import GRACE, Presences
from hubbub.gateways.websocket.native import DROP_AFTER
from hubbub.gateways.websocket.timer_wheel import STEP

ANNA, BERT = 1, 2
ONLINE = Status(status="online")


class Line:
    """A connection as the reducer sees it: one that is itself and no other."""


class Hall:
    """Presences on a clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.time = 1_000.0
        self.woken = 0
        self.presences = Presences(lambda: int(self.time * 1000), lambda: self.time)
        self.presences.wake = self._wake

    def _wake(self) -> None:
        self.woken += 1

    def enter(self, user: int, chosen: Status = ONLINE, version: int = 1) -> Any:
        line: Any = Line()
        self.presences.expect(user, line)
        self.presences.connected(user, line, chosen, version)
        return line

    def look(self, line: Any, *users: int) -> dict[int, str]:
        self.presences.watch(line, users)
        return {each.user: each.status for each in self.presences.announce(users)}

    def news(self) -> dict[Any, dict[int, str]]:
        return {
            line: {user: self.presences.of(user).status for user in users}
            for line, users in self.presences.news().items()
        }


@pytest.fixture
def hall() -> Hall:
    return Hall()


def test_only_those_who_look_are_told_and_once(hall: Hall) -> None:
    bert, other = hall.enter(BERT), hall.enter(3)
    assert hall.look(bert, ANNA) == {ANNA: "offline"}
    anna = hall.enter(ANNA)
    assert hall.news() == {bert: {ANNA: "online"}}
    hall.presences.idle(ANNA, anna, True)
    hall.presences.idle(ANNA, anna, True)
    assert hall.news() == {bert: {ANNA: "away"}}
    assert hall.news() == {}
    assert other not in hall.news()


def test_a_page_that_is_loaded_anew_is_no_departure(hall: Hall) -> None:
    bert, anna = hall.enter(BERT), hall.enter(ANNA)
    hall.look(bert, ANNA)
    hall.presences.disconnected(ANNA, anna)
    hall.time += GRACE - 0.1
    assert hall.news() == {}
    again = hall.enter(ANNA)
    hall.time += GRACE
    assert hall.news() == {}
    hall.presences.disconnected(ANNA, again)
    hall.presences.disconnected(ANNA, again)
    due = hall.presences.next_due()
    assert due is not None
    hall.time = due
    assert hall.news() == {bert: {ANNA: "offline"}}


def test_one_of_two_devices_is_enough_to_be_online_and_to_be_active(hall: Hall) -> None:
    bert, phone, desk = hall.enter(BERT), hall.enter(ANNA), hall.enter(ANNA)
    assert hall.look(bert, ANNA) == {ANNA: "online"}
    hall.presences.idle(ANNA, phone, True)
    assert hall.news() == {}
    hall.presences.idle(ANNA, desk, True)
    assert hall.news() == {bert: {ANNA: "away"}}
    hall.presences.disconnected(ANNA, desk)
    hall.time += 2 * GRACE
    assert hall.news() == {}
    assert hall.presences.of(ANNA).status == "away"


def test_whoever_is_invisible_looks_offline_and_says_nothing_else(hall: Hall) -> None:
    bert, _ = hall.enter(BERT), hall.enter(ANNA)
    hall.look(bert, ANNA)
    hall.presences.chose(ANNA, Status(status="invisible", text="not here", emoji="🙈"), 2)
    assert hall.news() == {bert: {ANNA: "offline"}}
    assert hall.presences.of(ANNA).model_dump(exclude_none=True) == {"user": ANNA, "status": "offline"}
    assert not hall.presences.is_visible(ANNA)


def test_what_was_chosen_ends_by_itself(hall: Hall) -> None:
    until = timestamp(int(hall.time * 1000) + 60_000)
    bert, _ = hall.enter(BERT), hall.enter(ANNA, Status(status="dnd", text="Lunch", until=until))
    assert hall.look(bert, ANNA) == {ANNA: "dnd"}
    hall.time += 59.9
    assert hall.news() == {}
    due = hall.presences.next_due()
    assert due is not None
    hall.time = due
    assert hall.news() == {bert: {ANNA: "online"}}
    assert hall.presences.of(ANNA).text is None


def test_an_older_choice_never_wins(hall: Hall) -> None:
    line: Any = Line()
    hall.presences.expect(ANNA, line)
    hall.presences.chose(ANNA, Status(status="dnd"), 7)  # said on another device while this one was greeted
    hall.presences.connected(ANNA, line, ONLINE, 6)
    assert hall.presences.of(ANNA).status == "dnd"


def test_who_begins_to_look_in_the_middle_of_a_change_is_right_in_the_end(hall: Hall) -> None:
    bert, carl, anna = hall.enter(BERT), hall.enter(3), hall.enter(ANNA)
    assert hall.look(bert, ANNA) == {ANNA: "online"}
    hall.presences.idle(ANNA, anna, True)
    assert hall.look(carl, ANNA) == {ANNA: "away"}
    hall.presences.idle(ANNA, anna, False)  # back before anybody was told
    assert hall.news()[carl] == {ANNA: "online"}


def test_nobody_is_remembered_who_is_neither_here_nor_looked_at(hall: Hall) -> None:
    for user in range(1, 200):
        line = hall.enter(user)
        hall.look(line, user + 1, user + 1_000)
        hall.presences.disconnected(user, line)
    assert len(hall.presences) > 0
    hall.time += 2 * GRACE
    hall.news()
    assert len(hall.presences) == 0
    assert hall.presences.next_due() is None


def test_reminders_do_not_pile_up(hall: Hall) -> None:
    hall.enter(ANNA)
    for step in range(1_000):
        until = timestamp(int(hall.time * 1000) + 10_000_000 - step)
        hall.presences.chose(ANNA, Status(status="dnd", until=until), 2 + step)
    assert len(hall.presences._due) < 200


def test_a_half_open_connection_is_over_within_45_seconds() -> None:
    assert DROP_AFTER + STEP + GRACE + TOGETHER <= 45
