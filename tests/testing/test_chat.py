"""A complete chat under TestClient."""

import threading
from pathlib import Path

import pytest
from pydantic import ValidationError

from hubbub.domain.errors import Conflict, Forbidden, HubbubError, NotFound
from hubbub.testing import Chat, ChatUser, chat
from tests.support import quick_passwords

PATIENCE = 60.0


@pytest.fixture(autouse=True)
def _quick_passwords() -> object:
    with quick_passwords.used():
        yield


@pytest.fixture
def running() -> object:
    with chat(users=["ann", "bob"], timeout=PATIENCE) as found:
        yield found


def test_a_message_reaches_the_other_user_and_is_stored(running: Chat) -> None:
    ann, bob = running["ann"], running["bob"]
    room = ann.create_room("Tea", members=[bob])
    sent = ann.send(room, "hello")
    event = bob.wait_for("message.sent", room=room)
    assert (event["body"], event["by"], event["seq"]) == ("hello", ann.id, sent.seq)
    page = bob.get(f"/api/rooms/{room}/messages").json()
    assert [message["body"] for message in page["messages"]] == ["hello"]


def test_rest_and_the_websocket_are_the_same_user(running: Chat) -> None:
    ann = running["ann"]
    assert ann.get("/users/me").json()["id"] == ann.id == ann.welcome["user"]["id"]
    assert running.client.get("/users/me").status_code == 401, "the plain client is not logged in"
    room = ann.post("/api/rooms", json={"kind": "public", "name": "By REST"}).json()["room"]["id"]
    assert ann.wait_for("room.added", room=room)
    answer = running["bob"].post(f"/api/rooms/{room}/join", json={})
    assert answer.status_code == 200, answer.text
    assert ann.wait_for("member.joined", by=running["bob"].id)


def test_refusals_are_the_errors_of_the_domain(running: Chat) -> None:
    ann, bob = running["ann"], running["bob"]
    room = ann.create_room("Secret")
    with pytest.raises(NotFound):
        bob.send(room, "let me in")
    ann.command("member.add", room=room, user=bob.id)
    with pytest.raises(Forbidden):
        bob.command("room.update", room=room, name="Mine")
    ann.send(room, "once", key="k")
    with pytest.raises(Conflict):
        ann.send(room, "twice", key="k")
    with pytest.raises(HubbubError):
        running.add_user("ann")


def test_a_user_continues_from_a_position_after_a_disconnect(running: Chat) -> None:
    ann, bob = running["ann"], running["bob"]
    room = ann.create_room("Tea", members=[bob])
    ann.send(room, "seen")
    bob.wait_for("message.sent")
    position = bob.positions
    bob.disconnect()
    assert not bob.connected
    ann.send(room, "missed")
    with pytest.raises(RuntimeError, match="bob is not connected"):
        bob.send(room, "from nowhere")
    bob.connect(since=position)
    assert bob.wait_for("message.sent", room=room)["body"] == "missed"


def test_the_position_in_a_new_room_is_its_head_before_any_event_of_it(running: Chat) -> None:
    ann, bob = running["ann"], running["bob"]
    room = ann.create_room("Tea", members=[bob])
    added = bob.wait_for("room.added", room=room)
    bob.events[:] = [event for event in bob.events if event["topic"] != f"room:{room}"]
    assert bob.positions.have[f"room:{room}"] == added["details"]["head"]
    ann.wait_for("room.added", room=room)
    assert ann.positions.have[f"room:{room}"] >= added["details"]["head"]


def test_a_user_has_several_devices(running: Chat) -> None:
    phone = running.log_in("ann")
    assert isinstance(phone, ChatUser)
    assert phone.id == running["ann"].id
    room = running["ann"].create_room("Mine")
    running["ann"].send(room, "from the desk")
    assert phone.wait_for("message.sent")["body"] == "from the desk"


def test_an_event_that_does_not_come_is_a_timeout_that_names_it(running: Chat) -> None:
    ann = running["ann"]
    room = ann.create_room("Tea")
    ann.wait_for("room.added", room=room)
    with pytest.raises(TimeoutError, match=r"ann did not get message.sent body='x' within 0.05 s. Last events: .*room"):
        ann.wait_for("message.sent", body="x", timeout=0.05)


def test_the_end_of_a_session_reaches_the_test_as_a_close_code(running: Chat) -> None:
    from starlette.websockets import WebSocketDisconnect

    ann = running["ann"]
    assert ann.close_code is None
    assert ann.post("/api/logout").status_code < 300
    with pytest.raises(WebSocketDisconnect) as end:
        ann.wait_for("nothing")
    assert ann.close_code == end.value.code
    assert not ann.connected


def test_the_owner_may_change_settings_and_others_may_not() -> None:
    with chat(users=["ann", "bob"], owner="ann", timeout=PATIENCE, guests=True) as running:
        assert running["ann"].get("/api/settings").status_code == 200
        assert running["bob"].get("/api/settings").status_code == 403
        assert running["ann"].welcome["user"]["role"] == "owner"
        with pytest.raises(ValueError, match="owner"):
            running.add_user("eve", owner=True)


def test_an_owner_who_is_not_a_user_and_a_wrong_setting_are_refused() -> None:
    with pytest.raises(ValueError, match="'eve'"), chat(users=["ann"], owner="eve"):
        pass
    with pytest.raises(ValidationError), chat(no_such_setting=1):
        pass


def test_the_environment_is_not_read_and_nothing_is_left_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HUBBUB_DATABASE_URL", "postgresql+psycopg://nowhere.invalid/production")
    monkeypatch.setenv("HUBBUB_SIGNUP", "closed")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = set(threading.enumerate())
    with chat(timeout=PATIENCE) as running:
        assert list(running.users) == ["ann", "bob"]
        assert list(tmp_path.iterdir()), "the data is in a temporary folder"
    assert not list(tmp_path.iterdir())
    left = [thread.name for thread in set(threading.enumerate()) - before if thread.is_alive() and not thread.daemon]
    assert not left
