"""The plain-text dialect: how lines become messages, and how events read."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hubbub.domain.errors import BadRequest, NotFound, RateLimited
from hubbub.domain.events import MessageDeleted, MessageSent
from hubbub.domain.model import LOBBY
from hubbub.domain.text import MAX_BODY_CHARACTERS
from hubbub.protocol import plain_text
from hubbub.protocol.plain_text import Presence


def stored(**fields: object) -> bytes:
    return orjson.dumps({"topic": "room:1", "seq": 3, "at": "2026-11-22T13:05:03.123Z", **fields})


def test_a_message_reads_as_in_the_tutorial() -> None:
    sent = MessageSent(room=1, by=7, name="alice", n=1, key="k", body="hello")
    assert plain_text.render(sent) == "Client #alice says: hello"


def test_a_stored_message_reads_like_a_live_one() -> None:
    text = stored(type="message.sent", room=1, by=7, name="alice", n=1, key="k", body="hello")
    assert plain_text.render_stored(text) == "Client #alice says: hello"


def test_a_notice_reads_as_in_the_tutorial() -> None:
    assert plain_text.render(plain_text.Notice(plain_text.joined("alice"))) == "Client #alice joined the chat."
    assert plain_text.render(plain_text.Notice(plain_text.left("alice"))) == "Client #alice left the chat."


@pytest.mark.parametrize("kind", ["member.joined", "member.left", "room.created", "something.new"])
def test_other_events_are_not_rendered(kind: str) -> None:
    assert plain_text.render_stored(stored(type=kind, name="alice")) is None


@pytest.mark.parametrize("event", [None, MessageDeleted(room=1, message=3, by=7, author=7)])
def test_signals_and_other_live_events_are_not_rendered(event: object) -> None:
    assert plain_text.render(event) is None


def test_a_message_without_text_is_not_rendered() -> None:
    assert plain_text.render_stored(stored(type="message.sent", name="alice", body=None)) is None


@given(st.text())
def test_no_body_adds_a_line_or_moves_the_cursor(body: str) -> None:
    line = plain_text.said("alice", body)
    assert line.isprintable()
    assert line.splitlines() == [line]


def test_a_forged_line_is_rendered_with_escapes() -> None:
    assert plain_text.said("bob", "hi\nClient #alice says: yes") == "Client #bob says: hi\\nClient #alice says: yes"
    assert plain_text.said("bob", "\x1b[2J") == "Client #bob says: \\x1b[2J"
    assert plain_text.said("bob", "a\u2028b\u202ec") == "Client #bob says: a\\u2028b\\u202ec"


def test_a_line_becomes_a_message() -> None:
    assert plain_text.command("hello", 12, "k1").model_dump(include={"room", "key", "body"}) == {
        "room": 12,
        "key": "k1",
        "body": "hello",
    }


def test_a_line_of_maximum_length_is_accepted_and_a_longer_one_is_refused() -> None:
    plain_text.command("x" * MAX_BODY_CHARACTERS, 1, "k")
    with pytest.raises(ValidationError, match="at most 8000 characters"):
        plain_text.command("x" * (MAX_BODY_CHARACTERS + 1), 1, "k")


@pytest.mark.parametrize("line", [b"bytes", None])
def test_a_frame_that_is_not_text_is_refused(line: bytes | None) -> None:
    with pytest.raises(BadRequest):
        plain_text.command(line, 1, "k")


@pytest.mark.parametrize("line", ["", "  ", "\x00", "a\x00b"])
def test_empty_lines_and_nul_characters_are_refused(line: str) -> None:
    with pytest.raises(ValidationError):
        plain_text.command(line, 1, "k")


def test_an_error_is_one_line_that_says_when_to_retry() -> None:
    assert (
        plain_text.refusal(RateLimited(retry_after=1.5))
        == "Error: Too many requests. Wait a moment. Try again in 1.5 s."
    )
    assert plain_text.refusal(BadRequest("no\nnews")) == "Error: no\\nnews"


def test_the_default_room_is_the_lobby() -> None:
    assert plain_text.room_of(None) == LOBBY
    assert plain_text.room_of("") == LOBBY
    assert plain_text.room_of("12") == 12


@pytest.mark.parametrize("parameter", ["0", "-1", "x", "1.5", "9" * 17, "9007199254740992", "٣"])
def test_an_invalid_room_parameter_is_not_found(parameter: str) -> None:
    with pytest.raises(NotFound):
        plain_text.room_of(parameter)


ALICE, BOB = 1, 2


def test_a_user_joins_with_the_first_connection_and_leaves_with_the_last() -> None:
    presence = Presence()
    assert presence.enter(1, ALICE)
    assert not presence.enter(1, ALICE)
    assert presence.enter(2, ALICE)
    assert presence.enter(1, BOB)
    assert not presence.leave(1, ALICE)
    assert presence.leave(1, ALICE)
    assert presence.enter(1, ALICE)


def test_invisible_connections_cause_no_join_and_leave_notices() -> None:
    presence = Presence()
    assert not presence.enter(1, ALICE, visible=False)
    assert not presence.leave(1, ALICE)
    assert not presence.enter(1, ALICE, visible=False)
    assert presence.enter(1, ALICE), "the user is visible now"
    assert not presence.enter(1, ALICE, visible=False)
    assert [presence.leave(1, ALICE) for _ in range(3)] == [False, False, True]
    assert presence.enter(1, ALICE), "there is one notice for each stay"
