"""The base of the state machine.

It runs the real store, the model and the clients, and compares them.
"""

import tempfile
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, ClassVar, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from hubbub.domain import commands as c
from tests.conversation.client_state import ClientState, Json
from tests.conversation.entities import Member, Room
from tests.conversation.model import Model
from tests.conversation.sample_data import BODIES, LOBBY, NAMES
from tests.conversation.store import Store

MINE = ("role", "read_seq", "unread_count", "mention_count", "favourite", "muted", "floor")
"""The fields of a room that differ between its members."""


class Step(NamedTuple):
    """A random step: a room (index, model, id), an actor, a target user, and a seq."""

    room_index: int
    room: Room
    number: int
    actor: str
    target: str
    seq: int


class ConversationBase(RuleBasedStateMachine):
    """Five users in four rooms: how a command is executed, and what must hold after it."""

    template: Path
    client: type[ClientState] = ClientState
    outcomes: ClassVar[Counter[tuple[str, str]]] = Counter()
    """How often each command had each outcome."""
    store: Store

    @initialize(seed=st.integers(0, 2**32 - 1))
    def begin(self, seed: int) -> None:
        self.random = Random(seed)
        self.folder = tempfile.TemporaryDirectory(prefix="hubbub-")
        self.store = Store(self.template, Path(self.folder.name))
        self.model = Model()
        self.ids = [1]
        self.numbers = {name: self.store.actors[name].id for name in NAMES}
        self.states = {name: self.client(self.numbers[name], self._fetcher(name)) for name in NAMES}
        self.away: set[str] = set()
        self.touched: tuple[str, int] | None = None
        for name, state in self.states.items():
            self.store.connect(name, state)
        self._load_lobby()
        for kind, actor, others in (
            ("public", "anna", ["bert"]),
            ("private", "bert", ["carl", "dora"]),
            ("direct", "anna", ["carl"]),
        ):
            self._create(actor, kind, kind, others, "all")
        for index, room in enumerate(self.model.rooms):
            for number, actor in enumerate(room.members):
                self._send(Step(index, room, self.ids[index], actor, actor, 1), f"first{number}", BODIES[number], None)

    def reconnect_all(self) -> None:
        for name in sorted(self.away):
            self.store.connect(name, self.states[name])
        self.away.clear()

    def _fetcher(self, name: str) -> Any:
        return lambda room, seq: self.store.message(name, room, seq)

    def _load_lobby(self) -> None:
        lobby = self.model.rooms[LOBBY]
        seen = {name: self.store.rooms(name)[1] for name in NAMES}
        lobby.name, lobby.head = seen["anna"]["name"], seen["anna"]["head"]
        for order, (name, room) in enumerate(seen.items()):
            lobby.members[name] = Member(room["role"], room["floor"] + 1, room["read_seq"], order)

    def teardown(self) -> None:
        if not hasattr(self, "store"):
            return
        try:
            self.reconnect_all()
            for name in NAMES:
                for index in range(len(self.ids)):
                    self._compare(name, index)
        finally:
            self.store.close()
            self.folder.cleanup()

    # --- executing ---------------------------------------------------------------------------------------------------

    def _room_at(self, index: int) -> tuple[Room, int]:
        index %= len(self.ids)
        return self.model.rooms[index], self.ids[index]

    def _step(self) -> Step:
        """Choose room, users and seq.

        Mostly a member and an existing message, sometimes any.
        """
        index = self.random.randrange(len(self.ids))
        room, number = self._room_at(index)
        inside = sorted(room.members)
        actor = self.random.choice(inside) if inside and self.random.random() < 0.85 else self.random.choice(NAMES)
        target = self.random.choice(inside) if inside and self.random.random() < 0.6 else self.random.choice(NAMES)
        said = sorted(room.messages)
        seq = (
            self.random.choice(said) if said and self.random.random() < 0.85 else self.random.randint(1, room.head + 3)
        )
        return Step(index, room, number, actor, target, seq)

    def _do(self, actor: str, index: int, expected: str, command: c.Command) -> Json:
        outcome, answer = self.store.do(actor, command)
        self.outcomes[command.kind, outcome] += 1
        assert outcome == expected, f"{actor} {command!r}: {outcome} instead of {expected}"
        for event in self.store.published():
            self._deliver(event)
        self.touched = (actor, index % len(self.ids))
        return answer

    def _deliver(self, event: Json) -> None:
        """Deliver an event to the connected clients that follow its topic."""
        for name, state in self.states.items():
            topic = event["topic"]
            if name not in self.away and (not topic.startswith("user:") or topic == f"user:{state.me}"):
                state.process(event)

    def _create(self, actor: str, kind: str, name: str, others: list[str], history: str) -> None:
        known = len(self.model.rooms)
        expected = self.model.create(actor, kind, name, others, history)
        fields: Json = {"kind": kind, "members": tuple(self.numbers[other] for other in others)}
        if kind != "direct":
            fields |= {"name": name, "history": history}
        answer = self._do(actor, 0, expected, c.CreateRoom(**fields))
        if len(self.model.rooms) > known:
            self.ids.append(answer["room"]["id"])
        elif expected == "ok":
            there = self.model.direct(list(dict.fromkeys([actor, *others])))
            assert self.ids[next(i for i, room in enumerate(self.model.rooms) if room is there)] == answer["room"]["id"]

    def _send(self, step: Step, key: str, body: str, reply_to: int | None) -> None:
        command = c.SendMessage(room=step.number, key=key, body=body, reply_to=reply_to)
        self._do(step.actor, step.room_index, self.model.send(step.actor, step.room, key, body, reply_to), command)

    # --- what must hold ----------------------------------------------------------------------------------------------

    @invariant()
    def holds(self) -> None:
        if self.touched is not None:
            actor, index = self.touched
            self.touched = None
            self._compare(actor, index)

    def _compare(self, actor: str, index: int) -> None:
        """Assert that client state, server and model agree."""
        room, number = self._room_at(index)
        rooms, state = self.store.rooms(actor), self.states[actor]
        assert set(rooms) == {
            id_ for id_, known in zip(self.ids, self.model.rooms, strict=True) if actor in known.members
        }
        assert self.store.status(actor) == self.model.statuses[actor]
        if actor not in self.away:
            assert state.rooms == rooms
            assert state.status == self.model.statuses[actor]
        if actor not in room.members:
            return
        view = self.store.view(actor, number)
        self._against_model(actor, room, view)
        if actor not in self.away and number in state.timelines:
            assert state.timelines[number] == view["messages"]
            assert state.members[number] == view["members"]
            assert state.pins[number] == view["pins"]

    def _against_model(self, actor: str, room: Room, view: Json) -> None:
        own, seen = room.members[actor], view["room"]
        assert {name: seen.get(name) for name in ("kind", "name", "history", "archived", "head", "member_count")} == {
            "kind": room.kind, "name": room.name, "history": room.history, "archived": room.archived,
            "head": room.head, "member_count": len(room.members),
        }  # fmt: skip
        assert seen.get("topic", "") == room.topic
        assert {name: seen[name] for name in MINE} == {
            "role": own.role, "read_seq": own.read, "unread_count": room.unread(actor),
            "mention_count": room.mentions(actor),
            "favourite": own.favourite, "muted": own.muted, "floor": own.joined - 1,
        }  # fmt: skip
        visible = {seq: one for seq, one in room.messages.items() if room.visible(actor, seq) is not None}
        assert set(view["messages"]) == set(visible)
        names = {self.numbers[name]: name for name in NAMES}
        for seq, one in visible.items():
            shown = view["messages"][seq]
            assert (shown["n"], shown["body"], shown["deleted"], shown.get("reply_to"), shown["pinned"]) == (
                one.n, one.body, one.body is None, one.reply_to, one.pinned_by is not None
            )  # fmt: skip
            assert names[shown["by"]] == one.by
            assert ("edited_at" in shown) == one.edited
            assert shown.get("forwarded", {}).get("name") == one.forwarded
            assert {
                found["emoji"]: [names[user] for user in found["users"]] for found in shown["reactions"]
            } == one.reactions
            assert all(found["mine"] == (actor in one.reactions[found["emoji"]]) for found in shown["reactions"])
        assert view["pins"] == {
            seq: self.numbers[one.pinned_by] for seq, one in visible.items() if one.pinned_by is not None
        }
        assert {each["name"]: each["role"] for each in view["members"].values()} == {
            name: member.role for name, member in room.members.items()
        }
