"""schemathesis against a running server: start, dictionaries and findings."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hubbub.domain.commands.examples import Fields, Given
from tests.generated.contract import operations
from tests.support.examples import Cast, Step, prepare_now
from tests.support.routes import ABSENT, body_of, example_of, operation_of, request_of, template_of
from tests.support.server import PASSWORD, Account, Server

HOOKS = Path(__file__).with_name("rest_hooks.py")
ALL_PHASES = "examples,coverage,fuzzing,stateful"
LEFT_OUT = {
    "positive_data_acceptance": "rules that JSON Schema cannot express: no U+0000, one script in a name, no common "
    "password, no read position above the head",
    "use_after_free": "a deleted message stays readable as a deleted message",
}
"""The checks that are disabled, and why. All others run."""
OF_THE_WORLD = (*Given, "{invite}", "{token}", "{webhook}")
"""Values of examples that schemathesis cannot guess."""
AGAIN = 3
"""How often to prepare an example that succeeds only once."""
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
        self.outsider = server.sign_up("outsider")
        self._numbers = itertools.count(1)
        found = {operation: self._guesses(operation) for operation in operations().keys() - ABSENT.keys()}
        self.guesses = {operation: guesses for operation, guesses in found.items() if guesses}
        forgetful = server.sign_up("forgetful")
        reset = server.reset_link(forgetful.name)
        self.resets = [reset.strip().rpartition("#")[2]]

    def _guesses(self, operation: str) -> dict[str, list[str | int]]:
        """Return values for fields that name what exists, from examples prepared for the operation.

        Any combination of them is valid: only the rooms differ.
        """
        path, template = operations()[operation][1], template_of(operation)
        places = {name: f"path.{name}" for name in template if f"{{{name}}}" in path}
        places |= {name: f"body.{name}" for name in body_of(operation) if template.get(name) in OF_THE_WORLD}
        places.pop("topic", None)  # there are more topics than the example's
        times = AGAIN if example_of(operation).again else 1
        prepared = [self._prepare(operation) for _ in range(times)] if places else []
        return {place: list(dict.fromkeys(one[name] for one in prepared)) for name, place in places.items()}

    def _prepare(self, operation: str) -> Fields:
        users = {"actor": self.owner, "member": self.member}
        cast = Cast(
            self.owner.id, self.member.id, self.outsider.id, self.member.name, lambda: f"-{next(self._numbers)}"
        )

        def send(step: Step) -> Any:
            name = operation_of(step.request)
            assert name is not None
            method, address, body, _ = request_of(name, step.fields)
            answer = users[step.by].request(method, address, json=body)
            assert answer.is_success, f"{step}: {answer.text}"
            return answer.json()

        return prepare_now(operation, cast, send)

    def config(self, methods: Sequence[str]) -> str:
        """Return the configuration: values worth trying and undocumented `methods`."""
        dictionaries: dict[str, list[str | int]] = {
            "rooms": list[str | int](self.rooms),
            "users": [self.member.id],
            "topics": ["site", *(f"room:{room}" for room in self.rooms), f"user:{self.member.id}"],
            "passwords": [PASSWORD],
            "names": [self.owner.name, self.member.name],
            "refreshes": [self.member.refresh],
            **{
                f"{operation} {place}": values
                for operation, guesses in self.guesses.items()
                for place, values in guesses.items()
            },
        }
        bound = {"path.room": "rooms", "path.user": "users", "path.topic": "topics",
                 "body.password": "passwords",
                 "body.current_password": "passwords", "body.username": "names",
                 "body.refresh_token": "refreshes"}  # fmt: skip
        lines = [
            f'[dictionaries."{name}"]\nvalues = {json.dumps(values, ensure_ascii=False)}'
            for name, values in dictionaries.items()
        ]
        lines.append("[parameters]")
        lines += [f'"{place}" = {{ dictionary = "{name}", probability = 0.8 }}' for place, name in bound.items()]
        for operation, places in self.guesses.items():
            guesses = ", ".join(f'"{place}" = {{ dictionary = "{operation} {place}" }}' for place in places)
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
