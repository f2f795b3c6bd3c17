"""The rules of the sans-I/O client: gaps, inboxes, events, retries, closes."""

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


def test_a_full_inbox_fetches_the_remaining_events_when_it_has_room() -> None:
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


def test_live_events_are_kept_until_the_requested_page_arrives() -> None:
    server, client = welcomed(capacity=100)
    server.say(LOBBY)
    server.wire.clear()
    server.say(LOBBY)
    client.deliver()
    assert len(server.asked) == 1
    server.answer()
    server.say(LOBBY)
    client.sync.receive(server.wire.pop(), 0.0)  # The live event overtakes the page.
    client.deliver()
    assert len(client.sync.inbox._queue) == 3
    assert not server.asked


def test_an_unavailable_page_is_requested_again_after_retry_after() -> None:
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


def test_a_trimmed_user_topic_makes_a_new_welcome_necessary() -> None:
    server, client = welcomed()
    for _ in range(5):
        server.say(OWN, "room.read_moved", room=1, read_seq=1, unread_count=0)
    client.lose()
    client.deliver()
    server.trim(OWN)
    server.answer()
    while "re" not in server.wire[0]:
        server.wire.popleft()
    client.sync.receive(server.wire.popleft(), 0.0)
    assert client.sync.inbox.stale


def test_a_page_without_progress_causes_one_reset() -> None:
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
    """Return everything received in a topic: seqs and resets."""
    while client.server.wire or client.server.asked:
        client.deliver()
        client.server.answer()
    while (item := client.sync.take()) is not None:
        client.heard.append(item)
    return [one.seq if isinstance(one, Entry) else "reset" for one in client.heard if one.topic == topic]


def test_a_room_is_followed_from_joining_until_leaving() -> None:
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


def test_memberships_take_effect_on_arrival_even_if_the_inbox_is_full() -> None:
    server, client = welcomed(capacity=1)
    server.say(LOBBY)
    server.join(2)
    server.join(3)
    server.leave(3)
    while server.wire:
        client.deliver()
    assert set(client.sync.inbox.rooms) == {1, 2}


def test_a_lost_membership_event_is_fetched() -> None:
    server, client = welcomed(capacity=100)
    server.join(2)
    client.lose()
    server.say("room:2")
    server.say(OWN)
    server.say(OWN)
    assert heard(client, OWN) == [1, 2, 3]
    assert set(client.sync.inbox.rooms) == {1, 2}
    assert heard(client, "room:2") == [1]


def test_a_room_joined_while_offline_is_followed_from_the_join() -> None:
    server, client = welcomed(capacity=100)
    server.connected = False
    server.say("room:2")
    server.join(2)
    server.say("room:2")
    server.say("room:2")
    client.connect()
    assert heard(client, "room:2") == [2, 3]


def test_a_room_whose_join_is_trimmed_from_the_user_topic_is_reset() -> None:
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


def test_known_events_are_typed_and_unknown_ones_are_not() -> None:
    server, client = welcomed(capacity=10)
    server.say(LOBBY, by=1, name="ann", n=1, key="k", body="hello", room=1, news="of a later version")
    server.say(LOBBY, "message.sung", room=1, tune="high")
    server.say(LOBBY, "message.sent", room=1, body=[])
    server.say(OWN, "room.read_moved", room=1, read_seq=3, unread_count=0)
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


def test_frames_of_unknown_types_are_ignored() -> None:
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
    """The answers to a command."""

    def command(self, kind: str, **fields: Any) -> Command:
        return Command(kind, fields, self.append)


def frames(sync: Sync, now: float = 0.0) -> list[Frame]:
    return list(sync.outgoing(now))


def test_commands_with_a_key_are_repeated_in_order_on_the_next_connection() -> None:
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


def test_a_busy_server_is_retried_and_a_rate_limit_is_raised() -> None:
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


def test_forgotten_commands_are_not_repeated() -> None:
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
def test_every_error_of_the_protocol_raises_its_exception(kind: type[HubbubError]) -> None:
    found = refusal({"code": kind.code, "message": "A message.", "retry_after": 1.5})
    assert (type(found), found.message, found.retry_after) == (kind, "A message.", 1.5)


def test_an_error_of_a_later_version_is_reported_by_its_code() -> None:
    found = refusal({"code": "too_early", "message": "Not yet."})
    assert type(found) is HubbubError
    assert "too_early" in found.message


@pytest.mark.parametrize(
    ("code", "kind"),
    [(None, None), (1006, None), (1000, None), (4000, None), (4008, None), (4009, None), (4501, Unauthenticated),
     (4503, Unauthenticated), (4510, Forbidden), (4599, Forbidden)],
)  # fmt: skip
def test_a_close_code_decides_whether_the_client_may_reconnect(
    code: int | None, kind: type[HubbubError] | None
) -> None:
    assert type(farewell(code, "why")) is (kind or type(None))


@pytest.mark.parametrize(
    ("reason", "wait"),
    [('{"retry_after":2.5}', 2.5), ("", None), ("too slow", None), ("[]", None), ('{"retry_after":"1"}', None),
     ('{"retry_after":1e9}', 30.0), ('{"retry_after":-1}', 0.0)],
)  # fmt: skip
def test_a_close_reason_may_say_when_to_reconnect(reason: str, wait: float | None) -> None:
    assert asked_to_wait(reason) == wait


def test_reconnect_delays_grow_to_thirty_seconds_with_full_jitter() -> None:
    assert [backoff(attempt, 1.0) for attempt in (0, 1, 2, 6, 7, 500)] == [0.5, 1.0, 2.0, 30.0, 30.0, 30.0]
    assert backoff(3, 0.0) == 0.0


def test_hello_names_at_most_as_many_topics_as_the_server_accepts() -> None:
    """A user in more rooms can still connect.

    The client requests the rest after `welcome`.
    """
    positions = Positions("first", {f"room:{number}": 1 for number in range(1, MAX_HAVE + 2)})
    assert len(Sync(positions).hello()["have"]) == MAX_HAVE
