"""The sans-I/O part, rule by rule: gaps, full inboxes, typed events, commands that are said again, closes."""

from typing import Any

import pytest

from hubbub.client.entries import Entry, Positions, Reset
from hubbub.client.outbox import Command
from hubbub.client.refusals import Interrupted, asked_to_wait, backoff, farewell, refusal
from hubbub.client.sync import Sync
from hubbub.domain.errors import ERRORS, Forbidden, HubbubError, RateLimited, Unauthenticated
from hubbub.domain.events import MessageSent, ReadMoved
from hubbub.domain.text import MAX_HAVE
from tests.client.fake_server import LOBBY, OWN, Frame
from tests.client.listener import Listener, welcomed


def test_a_full_inbox_asks_for_the_rest_when_there_is_room() -> None:
    server, client = welcomed(capacity=2)
    for _ in range(5):
        server.say(LOBBY)
        client.deliver()
    assert not server.asked
    client.consume()
    (question,) = server.asked
    assert (question["after"], question["limit"]) == (2, 1)
    while len(client.heard) < 5:
        server.answer()
        client.deliver()
        client.consume()
    assert [one.seq for one in client.heard if isinstance(one, Entry)] == [1, 2, 3, 4, 5]


def test_what_comes_live_while_a_page_is_under_way_is_kept_for_after_it() -> None:
    server, client = welcomed(capacity=100)
    server.say(LOBBY)
    server.wire.clear()
    server.say(LOBBY)
    client.deliver()
    assert len(server.asked) == 1
    server.answer()
    server.say(LOBBY)
    client.sync.receive(server.wire.pop(), 0.0)  # it overtakes the page
    client.deliver()
    assert len(client.sync.inbox._queue) == 3
    assert not server.asked


def test_a_question_that_cannot_be_answered_now_is_asked_again_when_it_was_said() -> None:
    server, client = welcomed()
    server.say(LOBBY)
    client.lose()
    server.say(LOBBY)
    client.deliver()
    number = server.asked.popleft()["id"]
    error = {"code": "unavailable", "message": "Wait.", "retry_after": 5.0}
    client.sync.receive({"re": number, "error": error}, 10.0)
    assert client.sync.next_due() == 15.0
    assert list(client.sync.outgoing(14.9)) == []
    (again,) = client.sync.outgoing(15.0)
    assert again["after"] == 0


def test_an_own_log_that_was_trimmed_under_a_question_makes_a_new_welcome_necessary() -> None:
    server, client = welcomed()
    for _ in range(5):
        server.say(OWN, "read.moved", room=1, read=1, unread=0)
    client.lose()
    client.deliver()
    server.trim(OWN)
    server.answer()
    while "re" not in server.wire[0]:
        server.wire.popleft()
    client.sync.receive(server.wire.popleft(), 0.0)
    assert client.sync.inbox.stale


def test_a_page_that_leads_nowhere_is_a_reset_and_not_asked_for_for_ever() -> None:
    server, client = welcomed()
    server.say(LOBBY)
    client.lose()
    server.say(LOBBY)
    client.deliver()
    number = server.asked.popleft()["id"]
    client.sync.receive({"re": number, "ok": {"epoch": "1", "events": [], "head": 2}}, 0.0)
    client.consume()
    assert client.heard == [Reset(LOBBY, 2, 2)]
    assert not server.asked


def heard(client: Listener, topic: str) -> list[int | str]:
    """Everything that is there of a topic: seqs, and resets."""
    while client.server.wire or client.server.asked:
        client.deliver()
        client.server.answer()
    while (item := client.sync.take()) is not None:
        client.heard.append(item)
    return [one.seq if isinstance(one, Entry) else "reset" for one in client.heard if one.topic == topic]


def test_a_room_is_followed_from_the_moment_one_comes_in_to_the_moment_one_goes() -> None:
    server, client = welcomed(capacity=100)
    server.say("room:2")
    server.join(2)
    server.say("room:2")
    client.deliver()
    client.deliver()
    assert set(client.sync.inbox.rooms) == {1, 2}
    server.leave(2)
    server.say("room:2")
    assert heard(client, "room:2") == [2]
    assert set(client.sync.inbox.rooms) == {1}
    server.join(2)
    server.say("room:2")
    assert heard(client, "room:2") == [2, 4]


def test_memberships_take_effect_when_they_are_heard_however_full_the_inbox() -> None:
    server, client = welcomed(capacity=1)
    server.say(LOBBY)
    server.join(2)
    server.join(3)
    server.leave(3)
    while server.wire:
        client.deliver()
    assert set(client.sync.inbox.rooms) == {1, 2}


def test_a_membership_that_was_lost_on_its_way_is_made_up_for() -> None:
    server, client = welcomed(capacity=100)
    server.join(2)
    client.lose()
    server.say("room:2")
    server.say(OWN)
    server.say(OWN)
    assert heard(client, OWN) == [1, 2, 3]
    assert set(client.sync.inbox.rooms) == {1, 2}
    assert heard(client, "room:2") == [1]


def test_a_room_one_came_into_while_away_is_heard_from_its_beginning() -> None:
    server, client = welcomed(capacity=100)
    server.connected = False
    server.say("room:2")
    server.join(2)
    server.say("room:2")
    server.say("room:2")
    client.connect()
    assert heard(client, "room:2") == [2, 3]


def test_where_ones_own_log_does_not_tell_when_one_came_in_there_is_a_reset() -> None:
    server, client = welcomed(capacity=100)
    server.connected = False
    server.join(2)
    server.say("room:2")
    server.trim(OWN)
    client.connect()
    assert heard(client, "room:2") == ["reset"]
    server.say("room:2")
    assert heard(client, "room:2") == ["reset", 2]
    assert heard(client, OWN) == ["reset"]


def test_events_are_typed_where_they_are_known() -> None:
    server, client = welcomed(capacity=10)
    server.say(LOBBY, by=1, name="ann", n=1, key="k", body="hello", room=1, news="of a later version")
    server.say(LOBBY, "message.sung", room=1, tune="high")
    server.say(LOBBY, "message.sent", room=1, body=[])
    server.say(OWN, "read.moved", room=1, read=3, unread=0)
    for _ in range(4):
        client.deliver()
        client.consume()
    known, unknown, strange, moved = [one for one in client.heard if isinstance(one, Entry)]
    assert isinstance(known.event, MessageSent)
    assert known.event.body == "hello"
    assert known.fields["news"] == "of a later version"
    assert unknown.event is strange.event is None
    assert (unknown.type, unknown.fields["tune"]) == ("message.sung", "high")
    assert isinstance(moved.event, ReadMoved)
    assert moved.event.topic == OWN


def test_frames_of_kinds_that_are_not_known_are_passed_over() -> None:
    _, client = welcomed()
    passing: tuple[Frame, ...] = (
        {"type": "typing", "room": 1, "user": 3},
        {"type": "pong"},
        {"re": None, "error": {}},
        {"re": 99},
    )
    for frame in passing:
        client.sync.receive(frame, 0.0)
    assert client.sync.take() is None


class Answers(list[Any]):
    """What a command was told."""

    def command(self, kind: str, **fields: Any) -> Command:
        return Command(kind, fields, self.append)


def frames(sync: Sync, now: float = 0.0) -> list[Frame]:
    return list(sync.outgoing(now))


def test_what_has_a_key_is_said_again_on_the_next_connection_in_its_old_place() -> None:
    _, client = welcomed()
    sync, answers = client.sync, Answers()
    for key in "ab":
        sync.ask(answers.command("message.send", room=1, key=key, body=key))
    sync.ask(answers.command("room.join", room=2))
    assert [frame["type"] for frame in frames(sync)] == ["message.send", "message.send", "room.join"]
    sync.ask(answers.command("message.send", room=1, key="c", body="c"))
    client.connect()
    (interrupted,) = answers
    assert isinstance(interrupted, Interrupted)
    assert frames(sync) == []
    client.deliver()
    said = list(client.server.asked)
    assert [frame["key"] for frame in said] == ["a", "b", "c"]
    assert len({frame["id"] for frame in said}) == 3
    sync.receive({"re": said[0]["id"], "ok": {"topic": LOBBY, "seq": 3}}, 0.0)
    assert answers[1:] == [{"topic": LOBBY, "seq": 3}]


def test_a_server_in_need_is_asked_again_and_a_refusal_is_told() -> None:
    _, client = welcomed()
    sync, answers = client.sync, Answers()
    sync.ask(answers.command("message.send", room=1, key="a", body="a"))
    (first,) = frames(sync, 1.0)
    sync.receive({"re": first["id"], "error": {"code": "busy", "message": "", "retry_after": 2.0}}, 1.0)
    assert (frames(sync, 2.9), sync.next_due()) == ([], 3.0)
    (second,) = frames(sync, 3.0)
    assert (second["key"], sync.waiting_since()) == ("a", 3.0)
    sync.receive({"re": second["id"], "error": {"code": "rate_limited", "message": "", "retry_after": 9.5}}, 3.0)
    (refused,) = answers
    assert isinstance(refused, RateLimited)
    assert refused.retry_after == 9.5
    assert sync.waiting_since() is None


def test_what_nobody_waits_for_any_more_is_not_said_again() -> None:
    _, client = welcomed()
    answers = Answers()
    said, unsaid = (answers.command("message.send", room=1, key=key, body="x") for key in "ab")
    client.sync.ask(said)
    assert len(frames(client.sync)) == 1
    client.sync.ask(unsaid)
    client.sync.outbox.forget(said)
    client.sync.outbox.forget(unsaid)
    client.connect()
    client.deliver()
    assert not client.server.asked
    assert answers == []


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.code)
def test_every_error_of_the_protocol_is_an_exception(kind: type[HubbubError]) -> None:
    found = refusal({"code": kind.code, "message": "So it is.", "retry_after": 1.5})
    assert (type(found), found.message, found.retry_after) == (kind, "So it is.", 1.5)


def test_an_error_of_a_later_version_is_told_by_its_name() -> None:
    found = refusal({"code": "too_early", "message": "Not yet."})
    assert type(found) is HubbubError
    assert "too_early" in found.message


@pytest.mark.parametrize(
    ("code", "kind"),
    [(None, None), (1006, None), (1000, None), (4000, None), (4008, None), (4009, None), (4501, Unauthenticated),
     (4503, Unauthenticated), (4510, Forbidden), (4599, Forbidden)],
)  # fmt: skip
def test_a_close_says_whether_one_may_come_back(code: int | None, kind: type[HubbubError] | None) -> None:
    assert type(farewell(code, "why")) is (kind or type(None))


@pytest.mark.parametrize(
    ("reason", "wait"),
    [('{"retry_after":2.5}', 2.5), ("", None), ("too slow", None), ("[]", None), ('{"retry_after":"1"}', None),
     ('{"retry_after":1e9}', 30.0), ('{"retry_after":-1}', 0.0)],
)  # fmt: skip
def test_a_close_says_when_to_come_back(reason: str, wait: float | None) -> None:
    assert asked_to_wait(reason) == wait


def test_pauses_grow_to_half_a_minute_and_are_spread_from_nothing_on() -> None:
    assert [backoff(attempt, 1.0) for attempt in (0, 1, 2, 6, 7, 500)] == [0.5, 1.0, 2.0, 30.0, 30.0, 30.0]
    assert backoff(3, 0.0) == 0.0


def test_hello_names_as_many_topics_as_a_server_takes() -> None:
    """Who has been in more rooms is not locked out by it: the rest is asked for after `welcome`."""
    positions = Positions("first", {f"room:{number}": 1 for number in range(1, MAX_HAVE + 2)})
    assert len(Sync(positions).hello()["have"]) == MAX_HAVE
