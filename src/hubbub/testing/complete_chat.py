"""A complete chat server without ports: on SQLite in a temporary folder, under TestClient."""

import itertools
import json
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_settings import PydanticBaseSettingsSource
from starlette.websockets import WebSocketDisconnect

from hubbub.client.entries import Positions, Sent
from hubbub.client.refusals import refusal
from hubbub.main import create_setup_link
from hubbub.mounted import Hubbub
from hubbub.settings import Settings

if TYPE_CHECKING:
    from starlette.testclient import TestClient, WebSocketTestSession

TIMEOUT = 10.0
PASSWORD = "correct horse battery staple"  # noqa: S105 - for accounts that live as long as a test
Frame = dict[str, Any]


class _Given(Settings):
    """Settings of arguments alone: a test must not use the database that the environment names."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[Settings],  # type: ignore[override]
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


class ChatUser:
    """A logged-in user of the chat, on one device: REST and a WebSocket.

    Frames are dictionaries as in docs/protocol.md. What waits raises TimeoutError after `timeout`
    seconds, by default those of the chat.
    """

    def __init__(self, chat: "Chat", name: str, user: int, token: str) -> None:
        self.name = name
        self.id = user
        self.token = token
        """An access token, valid for ten minutes."""
        self.events: list[Frame] = []
        """All frames that are not answers, in the order in which they arrived."""
        self.welcome: Frame = {}
        """The answer to the last `hello`: the rooms, and the heads of their topics."""
        self._chat = chat
        self._ids = itertools.count(1)
        self._answers: dict[int, Frame] = {}
        self._seen = 0
        self._changed = threading.Condition()
        self._open = ExitStack()
        self._reader: threading.Thread | None = None
        self._socket: WebSocketTestSession | None = None
        self._end: WebSocketDisconnect | None = None

    # --- REST ----------------------------------------------------------------------------------------------------

    def request(self, method: str, path: str, **arguments: Any) -> Any:
        """Send a request with the user's token; return the response.

        The arguments and the response are those of TestClient.
        """
        headers = {"Authorization": f"Bearer {self.token}", **arguments.pop("headers", {})}
        return self._chat.client.request(method, path, headers=headers, **arguments)

    def get(self, path: str, **arguments: Any) -> Any:
        return self.request("GET", path, **arguments)

    def post(self, path: str, **arguments: Any) -> Any:
        return self.request("POST", path, **arguments)

    # --- the WebSocket -------------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        return self._socket is not None and self._end is None

    @property
    def close_code(self) -> int | None:
        """The code with which the server closed the WebSocket; None if it did not."""
        return self._end.code if self._end is not None else None

    @property
    def positions(self) -> Positions:
        """The position after the last event that arrived, to continue from after a `disconnect`."""
        have = dict(self.welcome.get("heads", {}))
        for event in list(self.events):
            if "seq" in event:
                have[event["topic"]] = max(event["seq"], have.get(event["topic"], 0))
            if event["type"] == "room.added":
                have.setdefault(f"room:{event['room']}", event["details"]["head"])
        return Positions(self.welcome.get("epoch", ""), have)

    def connect(self, since: Positions | None = None) -> None:
        """Open the WebSocket and say hello.

        With `since`, the events after it follow. Raises HubbubError if the server refuses.
        """
        assert not self.connected, "The WebSocket is connected already."
        hello: Frame = {"type": "hello", "token": self.token}
        if since is not None:
            hello |= {"epoch": since.epoch, "have": dict(since.have)}
        self._end = None
        with ExitStack() as opening:
            socket = opening.enter_context(self._chat.client.websocket_connect("/ws"))
            socket.send_text(json.dumps(hello))
            first = json.loads(socket.receive_text())
            if first["type"] != "welcome":
                raise refusal(first.get("error", first))
            self._open = opening.pop_all()
        self.welcome = first
        self._socket = socket
        self._reader = threading.Thread(target=self._read, args=(socket,), name=f"reader of {self.name}", daemon=True)
        self._reader.start()

    def disconnect(self) -> None:
        """Close the WebSocket. Idempotent."""
        self._socket = None
        self._open.close()
        if self._reader is not None:
            self._reader.join(TIMEOUT)

    def command(self, type_: str, /, *, timeout: float | None = None, **fields: Any) -> Frame:
        """Execute a command over the WebSocket; return its answer.

        Raises the HubbubError for the server's refusal.
        """
        number = next(self._ids)
        self._write({"id": number, "type": type_, **fields})
        answer = self._until(lambda: self._answers.pop(number, None), timeout, f"an answer to {type_}")
        if "error" in answer:
            raise refusal(answer["error"])
        found: Frame = answer["ok"]
        return found

    def send(self, room: int, body: str, *, reply_to: int | None = None, key: str | None = None) -> Sent:
        """Send a message; return its position once it is on disk. Raises like `command`."""
        fields: Frame = {"room": room, "body": body, "key": key or f"{self.name}-{next(self._chat.numbers)}"}
        if reply_to is not None:
            fields["reply_to"] = reply_to
        answer = self.command("message.send", **fields)
        return Sent(answer["topic"], answer["seq"])

    def create_room(self, name: str, members: Sequence["ChatUser"] = (), kind: str = "private") -> int:
        """Create a room with these members; return its id. Raises like `command`."""
        others = [member.id for member in members if member.id != self.id]
        named: Frame = {} if kind == "direct" else {"name": name}
        answer = self.command("room.create", kind=kind, members=others, **named)
        found: int = answer["room"]["id"]
        return found

    def wait_for(self, type_: str | None = None, /, *, timeout: float | None = None, **fields: Any) -> Frame:
        """Return the next event with this type and these fields.

        Begins after the event that the last call returned, and skips what does not match.
        """

        def found() -> Frame | None:
            for index in range(self._seen, len(self.events)):
                event = self.events[index]
                if type_ in (None, event["type"]) and all(event.get(name) == value for name, value in fields.items()):
                    self._seen = index + 1
                    return event
            return None

        wanted = " ".join([type_ or "an event", *(f"{name}={value!r}" for name, value in fields.items())])
        return self._until(found, timeout, wanted)

    # --- inside --------------------------------------------------------------------------------------------------

    def _write(self, frame: Frame) -> None:
        if self._socket is None:
            raise RuntimeError(f"{self.name} is not connected.")
        self._socket.send_text(json.dumps(frame))

    def _read(self, socket: "WebSocketTestSession") -> None:
        """Take what arrives until the connection ends. Runs in a thread."""
        try:
            while True:
                frame: Frame = json.loads(socket.receive_text())
                with self._changed:
                    if "re" in frame:
                        self._answers[frame["re"]] = frame
                    else:
                        self.events.append(frame)
                    self._changed.notify_all()
        except WebSocketDisconnect as end:
            with self._changed:
                self._end = end
                self._changed.notify_all()
        except Exception:  # noqa: S110 - the session was closed: its streams raise errors of several libraries
            pass

    def _until(self, condition: Callable[[], Frame | None], timeout: float | None, wanted: str) -> Frame:
        seconds = self._chat.timeout if timeout is None else timeout
        deadline = time.monotonic() + seconds
        with self._changed:
            while (value := condition()) is None:
                if self._end is not None:
                    raise self._end
                if not self._changed.wait(deadline - time.monotonic()) and time.monotonic() >= deadline:
                    last = ", ".join(event["type"] for event in self.events[-10:])
                    raise TimeoutError(f"{self.name} did not get {wanted} within {seconds:g} s. Last events: {last}")
            return value


class Chat:
    """A running chat: its users by name, and a client that is not logged in."""

    def __init__(self, hubbub: Hubbub, client: "TestClient", timeout: float) -> None:
        self.hubbub = hubbub
        self.client = client
        """Starlette's TestClient of the server, without credentials."""
        self.timeout = timeout
        self.numbers = itertools.count(1)
        self.users: dict[str, ChatUser] = {}
        self._devices: list[ChatUser] = []

    def __getitem__(self, name: str) -> ChatUser:
        """Return the first device of the user."""
        return self.users[name]

    def add_user(self, name: str, *, owner: bool = False) -> ChatUser:
        """Create an account, log in and connect. Raises HubbubError if the server refuses the account.

        A site has one owner link: `owner` is for one user.
        """
        account: Frame = {"username": name, "password": PASSWORD}
        if owner:
            account["setup"] = self._setup_token()
        self._checked(self.client.post("/api/users", json=account))
        self.users[name] = self.log_in(name)
        return self.users[name]

    def log_in(self, name: str) -> ChatUser:
        """Log a user in on a further device, and connect it."""
        form = {"username": name, "password": PASSWORD}
        token: str = self._checked(self.client.post("/token", data=form))["access_token"]
        self.client.cookies.clear()
        me = self._checked(self.client.get("/users/me", headers={"Authorization": f"Bearer {token}"}))
        device = ChatUser(self, name, me["id"], token)
        self._devices.append(device)
        device.connect()
        return device

    def close(self) -> None:
        """Disconnect all devices."""
        for device in self._devices:
            device.disconnect()

    def _setup_token(self) -> str:
        running = self.hubbub._running
        portal = self.client.portal
        assert running is not None
        assert portal is not None
        token = portal.call(create_setup_link, running[0])
        if token is None:
            raise ValueError("The chat has an owner already.")
        return token

    @staticmethod
    def _checked(response: Any) -> Frame:
        answer: Frame = response.json()
        if response.status_code >= 400:
            raise refusal(answer.get("error", {"code": str(response.status_code), "message": response.text}))
        return answer


@contextmanager
def chat(
    users: Sequence[str] = ("ann", "bob"), *, owner: str | None = None, timeout: float = TIMEOUT, **settings: Any
) -> Iterator[Chat]:
    """Run a complete chat server with these users, logged in and connected::

        with chat(users=["ann", "bob"]) as running:
            ann, bob = running["ann"], running["bob"]
            room = ann.create_room("Tea", members=[bob])
            ann.send(room, "hello")
            assert bob.wait_for("message.sent", room=room)["body"] == "hello"

    It is the server of `hubbub serve` with a database of its own that goes with the block, and
    without ports: it runs under Starlette's TestClient, which needs httpx2 or httpx. `settings` are
    those of docs/settings.md; the environment is not read. By default sign-up is open and nothing
    is rate limited. `owner` is one of `users`. `timeout` is in seconds, for all waiting.

    Raises pydantic's ValidationError for a wrong setting, and HubbubError if the server refuses an
    account.
    """
    if owner is not None and owner not in users:
        raise ValueError(f"The owner {owner!r} is not one of the users.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Starlette warns about httpx; the programmer has not chosen it here
        from starlette.testclient import TestClient
    defaults: Mapping[str, Any] = {"signup": "open", "rate_limits": False}
    with tempfile.TemporaryDirectory(prefix="hubbub-") as folder:
        hubbub = Hubbub(_Given(**{**defaults, "data": Path(folder) / "data", **settings}))
        with TestClient(hubbub.app, base_url="http://localhost") as client:
            running = Chat(hubbub, client, timeout)
            try:
                for name in users:
                    running.add_user(name, owner=name == owner)
                yield running
            finally:
                running.close()
