"""Any commands in any order: every answer as the plain model says, every picture what a fresh snapshot shows.

A snapshot and the events that follow it make the next snapshot: for everybody, in every room, whether one was connected
all the time or comes back after an absence. `HUBBUB_TEST_MACHINE=100x2000` runs the long form (examples x steps).
"""

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from hubbub.domain import commands as c
from tests.conversation.model import Member, Model, Room
from tests.conversation.replica import Json, Replica
from tests.conversation.stage import Stage, prepare
from tests.conversation.words import BODIES, EMOJI, LOBBY, NAMES

EXAMPLES, STEPS = (int(number) for number in os.environ.get("HUBBUB_TEST_MACHINE", "50x40").split("x"))
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
"""Nothing is made shorter: a run is as long as its steps, and tells each of them."""
who_ = st.sampled_from(NAMES)
place_ = st.integers(0, 5)
number_ = st.integers(1, 40)
bodies_ = st.sampled_from(BODIES)


class Conversation(RuleBasedStateMachine):
    template: Path
    stage: Stage

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="hubbub-")
        self.stage = Stage(self.template, Path(self.folder.name))
        self.model = Model()
        self.ids = [1]
        self.numbers = {name: self.stage.actors[name].id for name in NAMES}
        self.replicas = {name: Replica(self.numbers[name], self._fetcher(name)) for name in NAMES}
        self.away: set[str] = set()
        self.touched: tuple[str, int] | None = None
        for name, replica in self.replicas.items():
            self.stage.connect(name, replica)
        self._know_the_lobby()

    def _fetcher(self, name: str) -> Any:
        return lambda room, seq: self.stage.message(name, room, seq)

    def _know_the_lobby(self) -> None:
        lobby = self.model.rooms[LOBBY]
        seen = {name: self.stage.rooms(name)[1] for name in NAMES}
        lobby.name, lobby.head = seen["anna"]["name"], seen["anna"]["head"]
        for order, (name, room) in enumerate(seen.items()):
            lobby.members[name] = Member(room["role"], room["floor"] + 1, room["read"], order)

    def teardown(self) -> None:
        if not hasattr(self, "stage"):
            return
        try:
            for name in sorted(self.away):
                self.come_back(name)
            for name in NAMES:
                for place in range(len(self.ids)):
                    self._compare(name, place)
        finally:
            self.stage.close()
            self.folder.cleanup()

    # --- doing ---------------------------------------------------------------------------------------------------

    def _place(self, place: int) -> tuple[Room, int]:
        place %= len(self.ids)
        return self.model.rooms[place], self.ids[place]

    def _seq(self, room: Room, number: int) -> int:
        """Mostly a message of the room, sometimes another entry of its log or nothing at all."""
        said = sorted(room.said)
        return said[number % len(said)] if said and number % 5 else number

    def _do(self, who: str, place: int, expected: str, command: c.Command) -> Json:
        outcome, answer = self.stage.do(who, command)
        assert outcome == expected, f"{who} {command!r}: {outcome} instead of {expected}"
        for event in self.stage.published():
            self._tell(event)
        self.touched = (who, place % len(self.ids))
        return answer

    def _tell(self, event: Json) -> None:
        """To those who are connected and follow the topic."""
        for name, replica in self.replicas.items():
            topic = event["topic"]
            if name not in self.away and (not topic.startswith("user:") or topic == f"user:{replica.me}"):
                replica.hear(event)

    # --- rooms ---------------------------------------------------------------------------------------------------

    @rule(
        who=who_, kind=st.sampled_from(("public", "private", "direct")), name=st.sampled_from(("Alpha", "Beta")),
        others=st.lists(who_, max_size=3), history=st.sampled_from(("all", "joined")),
    )  # fmt: skip
    def create(self, who: str, kind: str, name: str, others: list[str], history: str) -> None:
        if len(self.ids) > 5:
            return
        known = len(self.model.rooms)
        expected = self.model.create(who, kind, name, others, history)
        fields: Json = {"kind": kind, "members": tuple(self.numbers[other] for other in others)}
        if kind != "direct":
            fields |= {"name": name, "history": history}
        answer = self._do(who, 0, expected, c.CreateRoom(**fields))
        if len(self.model.rooms) > known:
            self.ids.append(answer["room"]["id"])
        elif expected == "ok":
            there = self.model.direct(list(dict.fromkeys([who, *others])))
            assert self.ids[next(i for i, room in enumerate(self.model.rooms) if room is there)] == answer["room"]["id"]

    @rule(
        who=who_,
        place=place_,
        topic=st.sampled_from((None, "One", "Two")),
        history=st.sampled_from((None, "all", "joined")),
    )
    def update(self, who: str, place: int, topic: str | None, history: str | None) -> None:
        room, number = self._place(place)
        command = c.UpdateRoom(room=number, topic=topic, history=history)
        self._do(who, place, self.model.update(who, room, topic, history), command)

    @rule(who=who_, place=place_, archived=st.booleans())
    def put_away(self, who: str, place: int, archived: bool) -> None:
        room, number = self._place(place)
        command = c.ArchiveRoom(room=number) if archived else c.RestoreRoom(room=number)
        self._do(who, place, self.model.put_away(who, room, archived), command)

    @rule(who=who_, place=place_, favourite=st.booleans(), muted=st.booleans())
    def settle(self, who: str, place: int, favourite: bool, muted: bool) -> None:
        room, number = self._place(place)
        command = c.ChangeSettings(room=number, favourite=favourite, muted=muted)
        self._do(who, place, self.model.settle(who, room, favourite, muted), command)

    # --- members -------------------------------------------------------------------------------------------------

    @rule(who=who_, place=place_)
    def join(self, who: str, place: int) -> None:
        room, number = self._place(place)
        self._do(who, place, self.model.join(who, room), c.JoinRoom(room=number))

    @rule(who=who_, place=place_)
    def leave(self, who: str, place: int) -> None:
        room, number = self._place(place)
        self._do(who, place, self.model.leave(who, room), c.LeaveRoom(room=number))

    @rule(who=who_, place=place_, whom=who_, deed=st.sampled_from(("bring", "bring", "remove", "ban", "unban")))
    def send_or_bring(self, who: str, place: int, whom: str, deed: str) -> None:
        room, number = self._place(place)
        kinds = {"bring": c.InviteMember, "remove": c.RemoveMember, "ban": c.BanMember, "unban": c.UnbanMember}
        command = kinds[deed](room=number, user=self.numbers[whom])
        self._do(who, place, getattr(self.model, deed)(who, room, whom), command)

    @rule(who=who_, place=place_, whom=who_, role=st.sampled_from(("member", "moderator", "owner")))
    def role(self, who: str, place: int, whom: str, role: str) -> None:
        room, number = self._place(place)
        command = c.SetRoomRole.model_validate({"room": number, "user": self.numbers[whom], "role": role}, strict=False)
        self._do(who, place, self.model.role(who, room, whom, role), command)

    # --- messages ------------------------------------------------------------------------------------------------

    @rule(who=who_, place=place_, key=st.integers(0, 60), body=bodies_, reply=st.none() | number_)
    def send(self, who: str, place: int, key: int, body: str, reply: int | None) -> None:
        room, number = self._place(place)
        seq = None if reply is None else self._seq(room, reply)
        command = c.SendMessage(room=number, key=f"k{key}", body=body, reply_to=seq)
        self._do(who, place, self.model.send(who, room, f"k{key}", body, seq), command)

    @rule(who=who_, place=place_, key=st.integers(0, 60), source=place_, number=number_)
    def forward(self, who: str, place: int, key: int, source: int, number: int) -> None:
        (room, id_), (origin, from_room) = self._place(place), self._place(source)
        seq = self._seq(origin, number)
        command = c.ForwardMessage(room=id_, key=f"k{key}", from_room=from_room, message=seq)
        self._do(who, place, self.model.forward(who, room, f"k{key}", origin, seq), command)

    @rule(who=who_, place=place_, number=number_, body=bodies_)
    def edit(self, who: str, place: int, number: int, body: str) -> None:
        room, id_ = self._place(place)
        seq = self._seq(room, number)
        self._do(who, place, self.model.edit(who, room, seq, body), c.EditMessage(room=id_, message=seq, body=body))

    @rule(who=who_, place=place_, number=number_)
    def delete(self, who: str, place: int, number: int) -> None:
        room, id_ = self._place(place)
        seq = self._seq(room, number)
        self._do(who, place, self.model.delete(who, room, seq), c.DeleteMessage(room=id_, message=seq))

    @rule(who=who_, place=place_, number=number_, pinned=st.booleans())
    def pin(self, who: str, place: int, number: int, pinned: bool) -> None:
        room, id_ = self._place(place)
        seq = self._seq(room, number)
        command = c.PinMessage(room=id_, message=seq) if pinned else c.UnpinMessage(room=id_, message=seq)
        self._do(who, place, self.model.pin(who, room, seq, pinned), command)

    @rule(
        who=who_, place=place_, number=number_, emoji=st.sampled_from(EMOJI), there=st.sampled_from((True, True, False))
    )
    def react(self, who: str, place: int, number: int, emoji: str, there: bool) -> None:
        room, id_ = self._place(place)
        seq = self._seq(room, number)
        kind = c.AddReaction if there else c.RemoveReaction
        command = kind(room=id_, message=seq, emoji=emoji)
        self._do(who, place, self.model.react(who, room, seq, emoji, there), command)

    # --- reading, and being away ---------------------------------------------------------------------------------

    @rule(who=who_, place=place_, number=st.integers(0, 60))
    def read(self, who: str, place: int, number: int) -> None:
        room, id_ = self._place(place)
        self._do(who, place, self.model.read(who, room, number), c.ReadRoom(room=id_, seq=number))

    @rule(who=who_, place=place_, number=number_)
    def mark_unread(self, who: str, place: int, number: int) -> None:
        room, id_ = self._place(place)
        seq = self._seq(room, number)
        self._do(who, place, self.model.unread(who, room, seq), c.UnreadRoom(room=id_, message=seq))

    @rule(who=who_, status=st.sampled_from(("online", "dnd", "invisible")), text=st.sampled_from(("", "Lunch")))
    def appear(self, who: str, status: Any, text: str) -> None:
        self.model.statuses[who] = {"status": status} | ({"text": text} if text else {})
        self._do(who, 0, "ok", c.SetPresence(status=status, text=text))

    @rule(who=who_)
    def go_away(self, who: str) -> None:
        self.away.add(who)

    @rule(who=who_)
    def come_back(self, who: str) -> None:
        if who in self.away:
            self.away.discard(who)
            self.stage.connect(who, self.replicas[who])

    @rule(who=who_, place=place_)
    def look(self, who: str, place: int) -> None:
        room, number = self._place(place)
        if who in room.members and who not in self.away:
            self.replicas[who].opened(number, self.stage.view(who, number))

    # --- what must hold ------------------------------------------------------------------------------------------

    @invariant()
    def holds(self) -> None:
        if self.touched is not None:
            who, place = self.touched
            self.touched = None
            self._compare(who, place)

    def _compare(self, who: str, place: int) -> None:
        """The person's picture, what the server shows, and what the model says are one."""
        room, number = self._place(place)
        rooms, replica = self.stage.rooms(who), self.replicas[who]
        assert set(rooms) == {
            id_ for id_, known in zip(self.ids, self.model.rooms, strict=True) if who in known.members
        }
        assert self.stage.status(who) == self.model.statuses[who]
        if who not in self.away:
            assert replica.rooms == rooms
            assert replica.status == self.model.statuses[who]
        if who not in room.members:
            return
        view = self.stage.view(who, number)
        self._against_model(who, room, view)
        if who not in self.away and number in replica.timelines:
            assert replica.timelines[number] == view["messages"]
            assert replica.members[number] == view["members"]
            assert replica.pins[number] == view["pins"]

    def _against_model(self, who: str, room: Room, view: Json) -> None:
        own, seen = room.members[who], view["room"]
        assert {name: seen.get(name) for name in ("kind", "name", "history", "archived", "head", "members")} == {
            "kind": room.kind, "name": room.name, "history": room.history, "archived": room.archived,
            "head": room.head, "members": len(room.members),
        }  # fmt: skip
        assert seen.get("topic", "") == room.topic
        assert {name: seen[name] for name in ("role", "read", "unread", "mentions", "favourite", "muted", "floor")} == {
            "role": own.role, "read": own.read, "unread": room.unread(who), "mentions": room.mentions(who),
            "favourite": own.favourite, "muted": own.muted, "floor": own.joined - 1,
        }  # fmt: skip
        visible = {seq: one for seq, one in room.said.items() if room.visible(who, seq) is not None}
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
                found["emoji"]: [names[user] for user in found["by"]] for found in shown["reactions"]
            } == one.reactions
            assert all(found["mine"] == (who in one.reactions[found["emoji"]]) for found in shown["reactions"])
        assert view["pins"] == {
            seq: self.numbers[one.pinned_by] for seq, one in visible.items() if one.pinned_by is not None
        }
        assert {each["name"]: each["role"] for each in view["members"].values()} == {
            name: member.role for name, member in room.members.items()
        }


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("stage"))


def test_a_snapshot_and_the_events_since_make_the_next_snapshot(template: Path) -> None:
    Conversation.template = template
    run_state_machine_as_test(
        Conversation,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            phases=PHASES,
        ),
    )
