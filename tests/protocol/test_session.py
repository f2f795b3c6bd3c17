"""The session's state machine: which frames each state accepts, and the effects."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.domain.commands import EventsSince, SendMessage
from hubbub.domain.errors import Unauthenticated, Unavailable
from hubbub.domain.text import MAX_HAVE
from hubbub.protocol import close_codes
from hubbub.protocol.session import (
    MAX_KEPT,
    MAX_KEPT_BYTES,
    PATIENCE_BURST,
    PATIENCE_RATE,
    Authenticate,
    Close,
    Effect,
    Execute,
    Query,
    Send,
    Session,
    State,
)

NOW = 1_000.0
SEND = '{"id":1,"type":"message.send","room":1,"key":"k","body":"hello"}'


def live(*, limited: bool = True) -> Session:
    session = Session(limited=limited)
    session.receive('{"type":"hello"}', NOW)
    session.welcomed(NOW)
    assert session.state is State.LIVE
    return session


def said(effect: object) -> dict[str, object]:
    assert isinstance(effect, Send)
    found: dict[str, object] = json.loads(effect.text)
    return found


def test_hello_is_the_first_frame_and_carries_the_clients_positions() -> None:
    session = Session()
    [greet] = session.receive('{"type":"hello","token":"t","epoch":"e","have":{"room:1":3,"site":0},"more":1}', NOW)
    assert isinstance(greet, Authenticate)
    assert greet.hello.have == {"room:1": 3, "site": 0}
    assert session.state is State.GREETING


@pytest.mark.parametrize(
    "frame",
    [SEND, "nonsense", '{"type":"hello","have":{"room:0":1}}', '{"type":"hello","have":{"room:1":-1}}',
     '{"type":"hello","have":{"room:1":true}}', '{"type":"hello","token":1}', '{"type":"ping"}'],
)  # fmt: skip
def test_any_other_frame_before_hello_ends_the_session(frame: str) -> None:
    session = Session()
    error, end = session.receive(frame, NOW)
    assert said(error)["re"] is None
    assert isinstance(end, Close)
    assert end.code == close_codes.NOT_AUTHENTICATED
    assert session.receive(SEND, NOW) == []


def test_the_number_of_positions_in_hello_is_limited_and_the_error_names_the_field() -> None:
    for count, accepted in ((MAX_HAVE, True), (MAX_HAVE + 1, False)):
        session = Session()
        have = {f"room:{number}": 1 for number in range(1, count + 1)}
        first, *_ = session.receive(json.dumps({"type": "hello", "have": have}), NOW)
        assert isinstance(first, Authenticate) is accepted
    assert "have: " in str(said(first)["error"])


def test_frames_received_during_the_greeting_are_executed_after_it() -> None:
    session = Session()
    session.receive('{"type":"hello"}', NOW)
    assert session.receive(SEND, NOW) == []
    [run] = session.welcomed(NOW)
    assert run == Execute(1, SendMessage(room=1, key="k", body="hello"))


def test_frames_kept_during_the_greeting_are_limited() -> None:
    session = Session()
    session.receive('{"type":"hello"}', NOW)
    for _ in range(MAX_KEPT):
        assert session.receive(SEND, NOW) == []
    assert isinstance(session.receive(SEND, NOW)[-1], Close)
    session = Session()
    session.receive('{"type":"hello"}', NOW)
    assert session.receive("x" * (MAX_KEPT_BYTES - 1), NOW) == []
    assert session.receive("x", NOW) == []
    assert isinstance(session.receive("x", NOW)[-1], Close)


def test_a_refused_greeting_closes_with_a_code_that_decides_on_reconnecting() -> None:
    for error, code in ((Unauthenticated(), close_codes.NOT_AUTHENTICATED), (Unavailable(), close_codes.GOING_AWAY)):
        session = Session()
        session.receive('{"type":"hello"}', NOW)
        last = session.refused(error)[-1]
        assert isinstance(last, Close)
        assert last.code == code


def test_a_ping_is_answered_with_or_without_an_id() -> None:
    assert [said(effect) for effect in live().receive('{"type":"ping"}', NOW)] == [{"type": "pong"}]
    assert said(live().receive('{"type":"ping","id":7}', NOW)[-1]) == {"re": 7, "ok": {}}


def test_events_since_is_a_query_and_not_a_command() -> None:
    [ask] = live().receive('{"id":2,"type":"events.since","topic":"room:1","after":5}', NOW)
    assert ask == Query(2, EventsSince(topic="room:1", after=5))


@pytest.mark.parametrize(
    ("frame", "re"),
    [
        ("nonsense", None),
        ('{"type":"message.send","room":1,"key":"k","body":"x"}', None),
        ('{"id":"1","type":"message.send"}', None),
        ('{"id":true,"type":"ping2"}', None),
        ('{"id":3,"type":"unheard.of"}', 3),
        ('{"id":4}', 4),
        ('{"id":5,"type":"message.send","room":1,"key":"k"}', 5),
        ('{"id":6,"type":"message.send","room":1,"key":"k","body":"   "}', 6),
        ('{"id":7,"type":"message.send","room":1,"key":"\\n","body":"x"}', 7),
        ('{"id":8,"type":"message.send","room":"1","key":"k","body":"x"}', 8),
        ('{"id":9,"type":"hello"}', 9),
        ('{"id":10,"type":"events.since","topic":"security","after":0}', 10),
        ('{"id":11,"type":"CreateAccount","username":"x","password_hash":"y"}', 11),
        ('{"id":12,"type":"events.since","topic":"room:1","after":0,"limit":201}', 12),
        ('{"id":13,"type":["typing"]}', 13),
        ('{"id":14,"type":{"typing":1}}', 14),
        ('{"id":15,"type":"typing","room":"1"}', 15),
    ],
)
def test_an_invalid_frame_is_answered_with_an_error_and_the_session_continues(frame: str, re: int | None) -> None:
    session = live()
    [answer] = session.receive(frame, NOW)
    body = said(answer)
    assert body["re"] == re
    assert body["error"]["code"] == "bad_request"  # type: ignore[index]
    assert isinstance(session.receive(SEND, NOW)[0], Execute)


@given(st.text() | st.binary())
def test_no_frame_makes_the_session_raise(frame: str | bytes) -> None:
    for session in (Session(), live()):
        for effect in session.receive(frame, NOW):
            assert isinstance(effect, Send | Close | Authenticate | Execute | Query)


# -- limits on refused frames

PING, NONSENSE = '{"type":"ping"}', "nonsense"


@pytest.mark.parametrize("frame", [PING, NONSENSE, '{"id":1,"type":"unheard.of"}', '{"id":1,"type":"hello"}'])
def test_endless_pings_or_refused_frames_end_the_session(frame: str) -> None:
    session = live()
    for _ in range(int(PATIENCE_BURST)):
        [answer] = session.receive(frame, NOW)
        assert isinstance(answer, Send)
    error, end = session.receive(frame, NOW)
    assert said(error)["error"]["code"] == "rate_limited"  # type: ignore[index]
    assert end == Close(close_codes.POLICY, "Too many pings or rejected frames.")
    assert session.state is State.CLOSED
    assert session.receive(SEND, NOW) == []


def test_the_allowance_refills_and_valid_commands_cost_nothing() -> None:
    session = live()
    for second in range(60):
        for _ in range(int(PATIENCE_RATE)):
            assert isinstance(session.receive(NONSENSE, NOW + second)[0], Send)
        for _ in range(500):
            assert isinstance(session.receive(SEND, NOW + second)[0], Execute)
    assert session.state is State.LIVE


def test_errors_answered_elsewhere_count_against_the_allowance() -> None:
    session = live()
    answer: list[Effect] = [Send(b"too often")]
    for _ in range(int(PATIENCE_BURST)):
        assert session.charge(NOW, answer) is answer
    assert isinstance(session.charge(NOW, answer)[-1], Close)


def test_frames_kept_during_the_greeting_count_against_the_allowance() -> None:
    session = Session()
    session.receive('{"type":"hello"}', NOW)
    for _ in range(MAX_KEPT):
        session.receive(NONSENSE, NOW)
    assert len(session.welcomed(NOW)) == MAX_KEPT
    for _ in range(int(PATIENCE_BURST) - MAX_KEPT):
        session.receive(NONSENSE, NOW)
    assert isinstance(session.receive(NONSENSE, NOW)[-1], Close)


def test_without_limits_refused_frames_never_end_the_session() -> None:
    session = live(limited=False)
    for _ in range(1_000):
        assert isinstance(session.receive(NONSENSE, NOW)[0], Send)
