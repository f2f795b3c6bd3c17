"""A world with script texts in every field.

The fields are those of rooms, messages, ban reasons, statuses and keys.
"""

import itertools
import unicodedata
from collections.abc import Iterator
from typing import Any

from hubbub.domain.text import MAX_REASON, MAX_ROOM_WEBHOOKS, MAX_STATUS, MAX_TOPIC
from hubbub.outbound import RefusedAddress, check_url
from tests.browser import xss
from tests.support.server import PASSWORD, Account, Server

LINES = [text for text in xss.CORPUS if not {unicodedata.category(c) for c in text} & {"Cc", "Zl", "Zp", "Cf"}]
"""The texts that are a single line."""
NAMES = [text for text in LINES if len(text) <= 64]
KEYS = [text for text in NAMES if text.isascii()]
CROWD = tuple(f"crowd{number:02}" for number in range(24))


def packs(size: int) -> list[str]:
    """Return all one-line texts, joined into strings of at most `size` characters."""
    found = [""]
    for text in (text for text in LINES if len(text) <= size):
        fits = len(found[-1]) + len(text) < size
        found = [*found[:-1], f"{found[-1]} {text}"] if fits else [*found, text]
    return found


def is_accepted(url: str) -> bool:
    try:
        check_url(url)
    except RefusedAddress:
        return False
    return True


class World:
    """Ann, who opens every screen; Ben, who wrote the texts; and a crowd.

    Members of the crowd are banned and set statuses.
    """

    def __init__(self, server: Server, crowd: dict[str, Account]) -> None:
        self.server = server
        self.ann = server.sign_up("ann")
        self.ben = server.sign_up("ben")
        self.crowd = list(crowd.values())
        self._keys: Iterator[str] = itertools.chain(KEYS, (f"key {number}" for number in itertools.count()))
        self.attic = self.room(self.ann, f"Attic {NAMES[0]}"[:64], [self.ben, *self.crowd[:8]])
        self.rooms = [self.room(self.ben, name, [self.ann], topic, pack) for name, topic, pack in self._texts()]
        self.talk()
        self.people()
        self.hooks()

    def ask(self, who: Account, method: str, path: str, **body: Any) -> Any:
        answer = who.request(method, path, **({"json": body} if body else {}))
        assert answer.is_success, f"{path} {body} → {answer.text}"
        return answer.json() if answer.content else None

    def room(self, who: Account, name: str, members: list[Account], topic: str = "", description: str = "") -> int:
        about = {"topic": topic, "description": description, "members": [member.id for member in members]}
        room: int = self.ask(who, "POST", "/api/rooms", kind="public", name=name, **about)["room"]["id"]
        return room

    def say(self, who: Account, room: int, body: str, **more: Any) -> int:
        path = f"/api/rooms/{room}/messages"
        seq: int = self.ask(who, "POST", path, key=next(self._keys), body=body, **more)["seq"]
        return seq

    def talk(self) -> None:
        """Send, edit, reply to, pin and forward each text; mention it as if it were a name."""
        for text in xss.CORPUS:
            seq = self.say(self.ann, self.attic, text)
            self.ask(
                self.ann, "PATCH", f"/api/rooms/{self.attic}/messages/{seq}", body=f"@{text} @{self.ben.name}{text}"
            )
            self.say(self.ben, self.attic, text, reply_to=seq)
            self.ask(self.ann, "PUT", f"/api/rooms/{self.attic}/pins/{seq}")
        forward = {"from_room": self.rooms[0], "message": self.say(self.ben, self.rooms[0], " ".join(LINES[:9]))}
        self.ask(self.ben, "POST", f"/api/rooms/{self.attic}/forwards", key=next(self._keys), **forward)

    def people(self) -> None:
        """Set statuses and ban reasons.

        Try the texts as user names and emoji, which are refused.
        """
        texts = packs(MAX_STATUS)
        for account, text in zip([self.ann, self.ben, *self.crowd], texts, strict=False):
            self.ask(account, "PUT", "/api/users/me/status", status="away", text=text, emoji="🌱")
        for account, reason in zip(self.crowd[8:], packs(MAX_REASON), strict=False):
            self.ask(self.ann, "PUT", f"/api/rooms/{self.attic}/bans/{account.id}", reason=reason)
        for text in LINES:
            for path, body in (
                ("/api/users", {"username": text, "password": PASSWORD}),
                ("/api/users/me/status", {"emoji": text}),
            ):
                refused = self.ben.request("POST" if path == "/api/users" else "PUT", path, json=body)
                assert refused.status_code == 400, refused.text
                assert text not in refused.text, "a refusal does not echo its input"

    def hooks(self) -> None:
        """Create webhooks with the texts as names and in their URLs, as far as URLs may have them."""
        fields = {"room": self.attic, "events": ["message.pinned"]}
        urls = itertools.cycle(url for text in NAMES if is_accepted(url := f"https://hooks.invalid/{text}"))
        for name, url in zip(NAMES[:MAX_ROOM_WEBHOOKS], urls, strict=False):
            self.ask(self.ann, "POST", "/api/webhooks", name=name, url=url, **fields)

    def _texts(self) -> Iterator[tuple[str, str, str]]:
        topics, descriptions = itertools.cycle(packs(MAX_TOPIC)), itertools.cycle(packs(990))
        yield from ((name, next(topics), next(descriptions)) for name in NAMES[1:])
