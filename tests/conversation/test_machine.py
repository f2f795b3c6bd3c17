"""Random commands in random order.

Every answer equals the model's, every client state a fresh snapshot. A snapshot and the events that
follow it make the next snapshot: for every user, in every room, whether the client was connected
all the time or returns after an absence.
"""

from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import rule, run_state_machine_as_test

from hubbub.domain import commands as c
from hubbub.domain.model import Chosen, History, RoomRole
from tests.conversation.replica import Json, Replica
from tests.conversation.setting import Setting
from tests.conversation.stage import prepare
from tests.conversation.words import BODIES, EMOJI, NAMES
from tests.support import depth

PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
"""Failing runs are not shrunk.

A run is as long as its steps, and lists each of them.
"""
MOST_ROOMS = 6
HISTORIES: tuple[History, ...] = ("all", "joined")
STATUSES: tuple[Chosen, ...] = ("online", "dnd", "invisible")
DEEDS: tuple[tuple[str, Any], ...] = (
    ("bring", c.InviteMember),
    ("bring", c.InviteMember),
    ("remove", c.RemoveMember),
    ("ban", c.BanMember),
    ("unban", c.UnbanMember),
)


class Conversation(Setting):
    """Every command, by any user, on any object."""

    # --- rooms ---------------------------------------------------------------------------------------------------

    @rule()
    def create(self) -> None:
        if len(self.ids) > MOST_ROOMS:
            return
        who, kind = self.random.choice(NAMES), self.random.choice(("public", "private", "direct"))
        others = self.random.sample(NAMES, self.random.randint(0, 3))
        self._create(who, kind, self.random.choice(("Alpha", "Beta", "Gamma")), others, self.random.choice(HISTORIES))

    @rule()
    def update(self) -> None:
        one, topic, history = (
            self._scene(),
            self.random.choice((None, "One", "Two")),
            self.random.choice((None, *HISTORIES)),
        )
        command = c.UpdateRoom(room=one.number, topic=topic, history=history)
        self._do(one.who, one.place, self.model.update(one.who, one.room, topic, history), command)

    @rule()
    def put_away(self) -> None:
        one = self._scene()
        archived = not one.room.archived and self.random.random() < 0.4
        command = c.ArchiveRoom(room=one.number) if archived else c.RestoreRoom(room=one.number)
        self._do(one.who, one.place, self.model.put_away(one.who, one.room, archived), command)

    @rule()
    def settle(self) -> None:
        one, favourite, muted = self._scene(), self.random.random() < 0.5, self.random.random() < 0.5
        command = c.ChangeSettings(room=one.number, favourite=favourite, muted=muted)
        self._do(one.who, one.place, self.model.settle(one.who, one.room, favourite, muted), command)

    # --- members -------------------------------------------------------------------------------------------------

    @rule()
    def join(self) -> None:
        one = self._scene()
        self._do(one.whom, one.place, self.model.join(one.whom, one.room), c.JoinRoom(room=one.number))

    @rule()
    def leave(self) -> None:
        one = self._scene()
        self._do(one.who, one.place, self.model.leave(one.who, one.room), c.LeaveRoom(room=one.number))

    @rule()
    def bring_or_send_away(self) -> None:
        one = self._scene()
        deed, kind = self.random.choice(DEEDS)
        command = kind(room=one.number, user=self.numbers[one.whom])
        self._do(one.who, one.place, getattr(self.model, deed)(one.who, one.room, one.whom), command)

    @rule()
    def role(self) -> None:
        one, role = self._scene(), self.random.choice(tuple(RoomRole))
        command = c.SetRoomRole(room=one.number, user=self.numbers[one.whom], role=role)
        self._do(one.who, one.place, self.model.role(one.who, one.room, one.whom, role.value), command)

    # --- messages ------------------------------------------------------------------------------------------------

    @rule()
    def send(self) -> None:
        one = self._scene()
        reply_to = one.seq if self.random.random() < 0.4 else None
        self._send(one, f"k{self.random.randint(0, 99)}", self.random.choice(BODIES), reply_to)

    @rule()
    def forward(self) -> None:
        one, source, key = self._scene(), self._scene(), f"k{self.random.randint(0, 99)}"
        command = c.ForwardMessage(room=one.number, key=key, from_room=source.number, message=source.seq)
        self._do(one.who, one.place, self.model.forward(one.who, one.room, key, source.room, source.seq), command)

    @rule()
    def edit(self) -> None:
        one, body = self._scene(), self.random.choice(BODIES)
        author = one.room.said[one.seq].by if one.seq in one.room.said else one.who
        who = author if self.random.random() < 0.8 else one.who
        command = c.EditMessage(room=one.number, message=one.seq, body=body)
        self._do(who, one.place, self.model.edit(who, one.room, one.seq, body), command)

    @rule()
    def delete(self) -> None:
        one = self._scene()
        if self.random.random() < 0.5:  # so that some messages remain
            self._do(
                one.who,
                one.place,
                self.model.delete(one.who, one.room, one.seq),
                c.DeleteMessage(room=one.number, message=one.seq),
            )

    @rule()
    def pin(self) -> None:
        one, pinned = self._scene(), self.random.random() < 0.6
        command = (c.PinMessage if pinned else c.UnpinMessage)(room=one.number, message=one.seq)
        self._do(one.who, one.place, self.model.pin(one.who, one.room, one.seq, pinned), command)

    @rule()
    def react(self) -> None:
        one, emoji, there = self._scene(), self.random.choice(EMOJI), self.random.random() < 0.7
        command = (c.AddReaction if there else c.RemoveReaction)(room=one.number, message=one.seq, emoji=emoji)
        self._do(one.who, one.place, self.model.react(one.who, one.room, one.seq, emoji, there), command)

    # --- reading, and being away
    # -----------------------------------------------------------------------------------

    @rule()
    def read(self) -> None:
        one, seq = self._scene(), self.random.randint(0, 60)
        seq = min(seq, one.room.head + 1)
        self._do(one.who, one.place, self.model.read(one.who, one.room, seq), c.ReadRoom(room=one.number, seq=seq))

    @rule()
    def read_all(self) -> None:
        who, places = self.random.choice(NAMES), self.random.sample(range(len(self.ids)), min(2, len(self.ids)))
        rooms = [self.model.rooms[place] for place in places]
        heads = [c.RoomRead(room=self.ids[place], seq=self.model.rooms[place].head) for place in places]
        command = c.ReadRooms(rooms=tuple(heads))
        for room in rooms:
            self.model.read(who, room, room.head)
        self._do(who, places[0], "ok", command)

    @rule()
    def mark_unread(self) -> None:
        one = self._scene()
        command = c.UnreadRoom(room=one.number, message=one.seq)
        self._do(one.who, one.place, self.model.unread(one.who, one.room, one.seq), command)

    @rule()
    def appear(self) -> None:
        who, status = self.random.choice(NAMES), self.random.choice(STATUSES)
        text = self.random.choice(("", "Lunch"))
        self.model.statuses[who] = {"status": status} | ({"text": text} if text else {})
        self._do(who, 0, "ok", c.SetPresence(status=status, text=text))

    @rule()
    def go_away(self) -> None:
        self.away.add(self.random.choice(NAMES))

    @rule()
    def come_back(self) -> None:
        self.all_come_back()

    @rule()
    def look(self) -> None:
        for name in NAMES:
            one = self._scene()
            if name in one.room.members and name not in self.away:
                self.replicas[name].opened(one.number, self.stage.view(name, one.number))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("stage"))


def run(template: Path, client: type[Replica] = Replica) -> None:
    Conversation.template, Conversation.client = template, client
    Conversation.outcomes.clear()
    run_state_machine_as_test(
        Conversation,
        settings=settings(
            max_examples=depth.rounds("conversations", short=25, long=100),
            stateful_step_count=depth.rounds("steps in each", short=40, long=2_000),
            deadline=None,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            phases=PHASES,
            derandomize=not depth.PROVING,
        ),
    )


def test_a_snapshot_and_the_events_since_make_the_next_snapshot(template: Path) -> None:
    run(template)
    done = {kind for kind, outcome in Conversation.outcomes if outcome == "ok"}
    durable = {str(command.kind) for command in get_args(c.AnyWireCommand)}
    assert len(done) > 0.8 * len(durable), durable - done


class Forgetful(Replica):
    """A client that ignores read positions from other devices, which occur in every run."""

    def _read_moved(self, event: Json) -> None:
        pass


def test_control_a_client_that_misses_an_event_type_is_detected(template: Path) -> None:
    with pytest.raises(AssertionError):
        run(template, Forgetful)
