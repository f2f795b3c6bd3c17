"""The follower of a webhook of the site, with a real receiver in the process of the test."""

import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import ClassVar

import orjson

from hubbub.domain.commands import CreateAccount
from hubbub.domain.commands.followers import RemoveFollower
from hubbub.domain.commands.webhooks import CreateWebhook
from hubbub.domain.model import SYSTEM, Actor, Role
from hubbub.engine.follower import Follower
from hubbub.engine.webhooks import Sender, WebhookFollower
from hubbub.features.webhooks import follower_of
from hubbub.outbound import OutboundClient, Policy
from hubbub.protocol.webhooks import new_secret
from tests.followers.case import Effects, FollowerCase
from tests.followers.node import Node

LOCAL = Policy(networks=(ip_network("127.0.0.0/8"),), ports=(range(1, 65_536),))
WEBHOOKS = "SELECT id FROM webhooks"


class WebhookCase(FollowerCase):
    """The receiver processes each id once, so that an event that is sent again has no second effect."""

    name = "webhook"
    exactly_once = True
    repeats: ClassVar[bool] = False
    can_be_down = True
    looks_at_ids: ClassVar[bool] = True

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._server: ThreadingHTTPServer | None = None
        self._seen: set[str] = set()
        self._effects: Effects = []
        self._down = False
        self._made: tuple[Node, Follower] | None = None

    async def prepare(self, node: Node) -> None:
        """Create the webhook, without its follower: tests register that themselves."""
        if node.rows(WEBHOOKS):
            return
        account = CreateAccount(username="hooks", password_hash="-", role=Role.ADMIN)
        user = (await node.journal.submit(account, SYSTEM)).answer["user"]
        create = CreateWebhook(
            room=None, name="Receiver", url=self._listen(), events=("message.sent",), secret=new_secret(bytes(32))
        )
        made = await node.journal.submit(create, Actor(user.id, "hooks", Role.ADMIN, session="session"))
        await node.journal.submit(RemoveFollower(name=follower_of(made.answer["webhook"])), SYSTEM)

    def follower(self, node: Node) -> Follower:
        if self._made is None or self._made[0] is not node:
            ((webhook,),) = node.rows(WEBHOOKS)
            sender = Sender(OutboundClient(LOCAL), node.read, node.clock)
            made = WebhookFollower(int(str(webhook)), None, sender, node.read, node.journal, node.clock)
            self._made = node, made
        return self._made[1]

    def effects(self, node: Node) -> Sequence[tuple[str, int]]:
        return list(self._effects)

    def set_down(self, down: bool) -> None:
        self._down = down

    def close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def _listen(self) -> str:
        """Start the receiver; return its URL."""
        case = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["content-length"]))
                if case._down:
                    self.close_connection = True
                    return
                case._process(self.headers["webhook-id"], content)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *arguments: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}/"

    def _process(self, id_: str, content: bytes) -> None:
        event = orjson.loads(content)["data"]
        if id_ not in self._seen or not self.looks_at_ids:
            self._seen.add(id_)
            self._effects.append((event["topic"], event["seq"]))


class CarelessCase(WebhookCase):
    """A receiver that does not look at the ids of messages."""

    name = "careless webhook"
    looks_at_ids: ClassVar[bool] = False
