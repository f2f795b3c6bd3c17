"""schemathesis against a running server: start, dictionaries and findings."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.server import PASSWORD, Account, Server

HOOKS = Path(__file__).with_name("rest_hooks.py")
ALL_PHASES = "examples,coverage,fuzzing,stateful"
LEFT_OUT = {
    "positive_data_acceptance": "rules that JSON Schema cannot express: no U+0000, one script in a name, no common "
    "password, no read position above the head",
    "use_after_free": "a deleted message stays readable as a deleted message",
}
"""The checks that are disabled, and why. All others run."""
A_MESSAGE = {"path.room": "rooms", "path.message": "messages"}
A_REACTION = {**A_MESSAGE, "path.emoji": "emoji"}
GUESSES: dict[str, dict[str, str]] = {
    "remove_member": {"path.room": "left", "path.user": "leavers"},
    "ban_member": {"path.room": "gate", "path.user": "leavers"},
    "unban_member": {"path.room": "gate", "path.user": "leavers"},
    "archive_room": {"path.room": "shelf"},
    "restore_room": {"path.room": "shelf"},
    "set_member_role": {"path.room": "ranks", "path.user": "users"},
    "add_member": {"path.room": "rooms", "path.user": "users"},
    "leave_room": {"path.room": "rooms"},
    "accept_invite": {"body.token": "links"},
    "forward_message": {"path.room": "rooms", "body.from_room": "rooms", "body.message": "messages"},
    "unread_room": {"path.room": "rooms", "body.message": "messages"},
    **dict.fromkeys(("show_message", "edit_message", "delete_message", "list_edits", "list_reactions"), A_MESSAGE),
    **dict.fromkeys(("pin_message", "unpin_message"), A_MESSAGE),
    **dict.fromkeys(("add_reaction", "remove_reaction"), A_REACTION),
}
"""Values for operations where the general dictionaries would rarely fit.

For example, users cannot leave the lobby, and only a present member can be removed.
"""
SAID = 12
METHODS = ("GET", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "TRACE")
Answers = dict[str, dict[int, int]]


@dataclass(frozen=True)
class Found:
    """`said` is schemathesis' own report.

    `right` and `wrong` count statuses by operation for valid and invalid requests.
    """

    code: int
    said: str
    right: Answers
    wrong: Answers

    def succeeded(self) -> set[str]:
        """Return the operations that succeeded at least once."""
        return {name for name, counts in self.right.items() if any(status < 300 for status in counts)}

    def statuses(self) -> set[int]:
        return {status for answers in (self.right, self.wrong) for counts in answers.values() for status in counts}

    def share(self) -> float:
        """Return the share of valid requests that were answered with 2xx."""
        counted = [(status, count) for counts in self.right.values() for status, count in counts.items()]
        return sum(count for status, count in counted if status < 300) / sum(count for _, count in counted)

    def requests(self) -> int:
        return sum(sum(counts.values()) for answers in (self.right, self.wrong) for counts in answers.values())


@dataclass(frozen=True)
class Role:
    """The user who makes the requests.

    `kind` is the type of credential; an empty name means none.
    """

    name: str
    kind: str = "token"


class World:
    """What exists on the server: rooms, users, messages, sessions, links."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.owner: Account = server.create_owner("owner")
        self.member = server.sign_up("member")
        self.rooms = [self.owner.create_room(f"Room {number}") for number in range(4)]
        for room in self.rooms:
            self.member.join(room)
            for number in range(SAID):
                speaker = self.member if number % 2 else self.owner
                said = {"key": f"said {number}", "body": f"said {number}"}
                speaker.request("POST", f"/api/rooms/{room}/messages", json=said)
        self.left, self.gate, self.shelf, self.ranks = (
            self.owner.create_room(name) for name in ("To be left", "The gate", "On the shelf", "Of ranks")
        )
        self.member.join(self.ranks)
        self.leaver = server.sign_up("leaver")
        self.leaver.join(self.left)
        made = [self.owner.request("POST", "/api/invites", json={}) for _ in range(3)]
        link = self.owner.request("POST", "/api/invites", json={"room": self.rooms[0], "max_uses": 10_000})
        self.link: str = link.json()["token"]
        self.invites: list[str] = [answer.json()["id"] for answer in made]
        forgetful = server.sign_up("forgetful")
        reset = server.reset_link(forgetful.name)
        self.resets = [reset.strip().rpartition("#")[2]]

    def config(self, methods: Sequence[str]) -> str:
        """Return the configuration: values worth trying and undocumented `methods`."""
        dictionaries: dict[str, list[str | int]] = {
            "rooms": list[str | int](self.rooms),
            "users": [self.member.id],
            "topics": ["site", *(f"room:{room}" for room in self.rooms), f"user:{self.member.id}"],
            "passwords": [PASSWORD],
            "names": [self.owner.name, self.member.name],
            "invites": list[str | int](self.invites),
            "left": [self.left],
            "leavers": [self.leaver.id],
            "gate": [self.gate],
            "shelf": [self.shelf],
            "ranks": [self.ranks],
            "links": [self.link],
            "messages": [*range(4, 4 + SAID)],  # These follow the room's creation and two joins.
            "emoji": ["\N{THUMBS UP SIGN}"],
            "refreshes": [self.member.refresh],
        }
        bound = {"path.room": "rooms", "path.user": "users", "path.topic": "topics", "path.invite": "invites",
                 "body.password": "passwords",
                 "body.current_password": "passwords", "body.username": "names",
                 "body.refresh_token": "refreshes"}  # fmt: skip
        lines = [
            f"[dictionaries.{name}]\nvalues = {json.dumps(values, ensure_ascii=False)}"
            for name, values in dictionaries.items()
        ]
        lines.append("[parameters]")
        lines += [f'"{place}" = {{ dictionary = "{name}", probability = 0.8 }}' for place, name in bound.items()]
        for operation, places in GUESSES.items():
            guesses = ", ".join(f'"{place}" = {{ dictionary = "{name}" }}' for place, name in places.items())
            lines.append(f'[[operations]]\ninclude-operation-id = "{operation}"\nparameters = {{ {guesses} }}')
        # 413 is the answer to what exceeds a limit of size.
        lines.append("[checks.negative_data_rejection]\nexpected-statuses = [400, 401, 403, 404, 409, 413, 5xx]")
        lines.append(f"[phases.coverage]\nunexpected-methods = {json.dumps(methods)}")
        return "\n".join(lines).replace("5xx", '"5xx"') + "\n"


def run(
    world: World, role: Role, folder: Path, *options: str, methods: Sequence[str] = METHODS, tampered: bool = False
) -> Found:
    """Run schemathesis once as `role`, with its files in `folder`.

    With `tampered`, the OpenAPI document contains wrong statements.
    """
    folder.mkdir()
    (folder / "schemathesis.toml").write_text(world.config(methods), encoding="utf-8")
    report = folder / "answers.json"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HUBBUB_")},
        "SCHEMATHESIS_HOOKS": str(HOOKS),
        "FUZZ_URL": world.server.url, "FUZZ_NAME": role.name, "FUZZ_KIND": role.kind, "FUZZ_PASSWORD": PASSWORD,
        "FUZZ_RESETS": " ".join(world.resets), "FUZZ_REPORT": str(report), **({"FUZZ_TAMPER": "1"} if tampered else {}),
    }  # fmt: skip
    done = subprocess.run(
        [
            Path(sys.executable).with_name("st"), "run", f"{world.server.url}/openapi.json",
            "--exclude-checks", ",".join(LEFT_OUT), "--continue-on-failure",
            "--request-timeout", "60", "--suppress-health-check", "all",
            "--no-color", *options,
        ],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    counted = json.loads(report.read_text()) if report.exists() else {"right": {}, "wrong": {}}
    return Found(done.returncode, done.stdout + done.stderr, _numbers(counted["right"]), _numbers(counted["wrong"]))


def _numbers(answers: dict[str, dict[str, int]]) -> Answers:
    return {name: {int(status): count for status, count in counts.items()} for name, counts in answers.items()}
