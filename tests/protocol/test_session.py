"""The session's table: in each state, what may come and what it becomes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.domain.commands import EventsSince, SendMessage
from hubbub.domain.errors import Unauthenticated, Unavailable
from hubbub.protocol import closes
from hubbub.protocol.session import MAX_KEPT, Ask, End, Greet, Run, Say, Session, State

SEND = '{"id":1,"type":"message.send","room":1,"key":"k","body":"hello"}'


def live() -> Session:
    session = Session()
    session.receive('{"type":"hello"}')
    session.welcomed()
    assert session.state is State.LIVE
    return session


def said(effect: object) -> dict[str, object]:
    assert isinstance(effect, Say)
    found: dict[str, object] = json.loads(effect.text)
    return found


def test_hello_is_the_first_frame_and_carries_what_one_has() -> None:
    session = Session()
    [greet] = session.receive('{"type":"hello","token":"t","epoch":"e","have":{"room:1":3,"site":0},"more":1}')
    assert isinstance(greet, Greet)
    assert greet.hello.have == {"room:1": 3, "site": 0}
    assert session.state is State.GREETING


@pytest.mark.parametrize(
    "frame",
    [SEND, "nonsense", '{"type":"hello","have":{"room:0":1}}', '{"type":"hello","have":{"room:1":-1}}',
     '{"type":"hello","have":{"room:1":true}}', '{"type":"hello","token":1}', '{"type":"ping"}'],
)  # fmt: skip
def test_anything_else_before_hello_ends_the_session(frame: str) -> None:
    session = Session()
    error, end = session.receive(frame)
    assert said(error)["re"] is None
    assert isinstance(end, End)
    assert end.code == closes.NOT_AUTHENTICATED
    assert session.receive(SEND) == []


def test_what_comes_during_the_greeting_is_taken_up_after_it() -> None:
    session = Session()
    session.receive('{"type":"hello"}')
    assert session.receive(SEND) == []
    [run] = session.welcomed()
    assert run == Run(1, SendMessage(room=1, key="k", body="hello"))


def test_what_is_kept_during_the_greeting_is_bounded() -> None:
    session = Session()
    session.receive('{"type":"hello"}')
    for _ in range(MAX_KEPT):
        assert session.receive(SEND) == []
    assert isinstance(session.receive(SEND)[-1], End)


def test_a_refused_greeting_says_whether_to_come_back() -> None:
    for error, code in ((Unauthenticated(), closes.NOT_AUTHENTICATED), (Unavailable(), closes.GOING_AWAY)):
        session = Session()
        session.receive('{"type":"hello"}')
        last = session.refused(error)[-1]
        assert isinstance(last, End)
        assert last.code == code


def test_a_ping_is_answered_and_needs_no_id() -> None:
    assert [said(effect) for effect in live().receive('{"type":"ping"}')] == [{"type": "pong"}]
    assert said(live().receive('{"type":"ping","id":7}')[-1]) == {"re": 7, "ok": {}}


def test_catching_up_is_a_query_and_not_a_command() -> None:
    [ask] = live().receive('{"id":2,"type":"events.since","topic":"room:1","after":5}')
    assert ask == Ask(2, EventsSince(topic="room:1", after=5))


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
    ],
)
def test_a_bad_frame_is_answered_and_the_session_goes_on(frame: str, re: int | None) -> None:
    session = live()
    [answer] = session.receive(frame)
    body = said(answer)
    assert body["re"] == re
    assert body["error"]["code"] == "bad_request"  # type: ignore[index]
    assert isinstance(session.receive(SEND)[0], Run)


@given(st.text() | st.binary())
def test_no_frame_makes_the_session_raise(frame: str | bytes) -> None:
    for session in (Session(), live()):
        for effect in session.receive(frame):
            assert isinstance(effect, Say | End | Greet | Run | Ask)
