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
from tests.conversation.base import ConversationBase
from tests.conversation.client_state import ClientState, Json
from tests.conversation.sample_data import BODIES, EMOJI, NAMES
from tests.conversation.store import prepare
from tests.support import depth

PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
"""Failing runs are not shrunk.

A run is as long as its steps, and lists each of them.
"""
MOST_ROOMS = 6
HISTORIES: tuple[History, ...] = ("all", "joined")
STATUSES: tuple[Chosen, ...] = ("online", "dnd", "invisible")
MEMBER_COMMANDS: tuple[tuple[str, Any], ...] = (
    ("add_member", c.AddMember),
    ("add_member", c.AddMember),
    ("remove", c.RemoveMember),
    ("ban", c.BanMember),
    ("unban", c.UnbanMember),
)


class Conversation(ConversationBase):
    """Every command, by any user, on any object."""

    # --- rooms -------------------------------------------------------------------------------------------------------

    @rule()
    def create(self) -> None:
        if len(self.ids) > MOST_ROOMS:
            return
        actor, kind = self.random.choice(NAMES), self.random.choice(("public", "private", "direct"))
        others = self.random.sample(NAMES, self.random.randint(0, 3))
        self._create(actor, kind, self.random.choice(("Alpha", "Beta", "Gamma")), others, self.random.choice(HISTORIES))

    @rule()
    def update(self) -> None:
        step, topic, history = (
            self._step(),
            self.random.choice((None, "One", "Two")),
            self.random.choice((None, *HISTORIES)),
        )
        command = c.UpdateRoom(room=step.number, topic=topic, history=history)
        self._do(step.actor, step.room_index, self.model.update(step.actor, step.room, topic, history), command)

    @rule()
    def put_away(self) -> None:
        step = self._step()
        archived = not step.room.archived and self.random.random() < 0.4
        command = c.ArchiveRoom(room=step.number) if archived else c.RestoreRoom(room=step.number)
        self._do(step.actor, step.room_index, self.model.archive(step.actor, step.room, archived), command)

    @rule()
    def settle(self) -> None:
        step, favourite, muted = self._step(), self.random.random() < 0.5, self.random.random() < 0.5
        command = c.SetRoomPreferences(room=step.number, favourite=favourite, muted=muted)
        self._do(
            step.actor, step.room_index, self.model.change_settings(step.actor, step.room, favourite, muted), command
        )

    # --- members -----------------------------------------------------------------------------------------------------

    @rule()
    def join(self) -> None:
        step = self._step()
        self._do(step.target, step.room_index, self.model.join(step.target, step.room), c.JoinRoom(room=step.number))

    @rule()
    def leave(self) -> None:
        step = self._step()
        self._do(step.actor, step.room_index, self.model.leave(step.actor, step.room), c.LeaveRoom(room=step.number))

    @rule()
    def bring_or_send_away(self) -> None:
        step = self._step()
        method, kind = self.random.choice(MEMBER_COMMANDS)
        command = kind(room=step.number, user=self.numbers[step.target])
        self._do(step.actor, step.room_index, getattr(self.model, method)(step.actor, step.room, step.target), command)

    @rule()
    def role(self) -> None:
        step, role = self._step(), self.random.choice(tuple(RoomRole))
        command = c.SetMemberRole(room=step.number, user=self.numbers[step.target], role=role)
        self._do(step.actor, step.room_index, self.model.role(step.actor, step.room, step.target, role.value), command)

    # --- messages ----------------------------------------------------------------------------------------------------

    @rule()
    def send(self) -> None:
        step = self._step()
        reply_to = step.seq if self.random.random() < 0.4 else None
        self._send(step, f"k{self.random.randint(0, 99)}", self.random.choice(BODIES), reply_to)

    @rule()
    def forward(self) -> None:
        step, source, key = self._step(), self._step(), f"k{self.random.randint(0, 99)}"
        command = c.ForwardMessage(room=step.number, key=key, from_room=source.number, message=source.seq)
        self._do(
            step.actor,
            step.room_index,
            self.model.forward(step.actor, step.room, key, source.room, source.seq),
            command,
        )

    @rule()
    def edit(self) -> None:
        step, body = self._step(), self.random.choice(BODIES)
        author = step.room.messages[step.seq].by if step.seq in step.room.messages else step.actor
        actor = author if self.random.random() < 0.8 else step.actor
        command = c.EditMessage(room=step.number, message=step.seq, body=body)
        self._do(actor, step.room_index, self.model.edit(actor, step.room, step.seq, body), command)

    @rule()
    def delete(self) -> None:
        step = self._step()
        if self.random.random() < 0.5:  # so that some messages remain
            self._do(
                step.actor,
                step.room_index,
                self.model.delete(step.actor, step.room, step.seq),
                c.DeleteMessage(room=step.number, message=step.seq),
            )

    @rule()
    def pin(self) -> None:
        step, pinned = self._step(), self.random.random() < 0.6
        command = (c.PinMessage if pinned else c.UnpinMessage)(room=step.number, message=step.seq)
        self._do(step.actor, step.room_index, self.model.pin(step.actor, step.room, step.seq, pinned), command)

    @rule()
    def react(self) -> None:
        step, emoji, there = self._step(), self.random.choice(EMOJI), self.random.random() < 0.7
        command = (c.AddReaction if there else c.RemoveReaction)(room=step.number, message=step.seq, emoji=emoji)
        self._do(step.actor, step.room_index, self.model.react(step.actor, step.room, step.seq, emoji, there), command)

    # --- reading, and being away -------------------------------------------------------------------------------------

    @rule()
    def read(self) -> None:
        step, seq = self._step(), self.random.randint(0, 60)
        seq = min(seq, step.room.head + 1)
        self._do(
            step.actor,
            step.room_index,
            self.model.read(step.actor, step.room, seq),
            c.ReadRoom(room=step.number, seq=seq),
        )

    @rule()
    def read_all(self) -> None:
        actor, indexes = self.random.choice(NAMES), self.random.sample(range(len(self.ids)), min(2, len(self.ids)))
        rooms = [self.model.rooms[index] for index in indexes]
        heads = [c.RoomRead(room=self.ids[index], seq=self.model.rooms[index].head) for index in indexes]
        command = c.ReadRooms(rooms=tuple(heads))
        for room in rooms:
            self.model.read(actor, room, room.head)
        self._do(actor, indexes[0], "ok", command)

    @rule()
    def mark_unread(self) -> None:
        step = self._step()
        command = c.UnreadRoom(room=step.number, message=step.seq)
        self._do(step.actor, step.room_index, self.model.unread(step.actor, step.room, step.seq), command)

    @rule()
    def appear(self) -> None:
        actor, status = self.random.choice(NAMES), self.random.choice(STATUSES)
        text = self.random.choice(("", "Lunch"))
        self.model.statuses[actor] = {"status": status} | ({"text": text} if text else {})
        self._do(actor, 0, "ok", c.SetStatus(status=status, text=text))

    @rule()
    def go_away(self) -> None:
        self.away.add(self.random.choice(NAMES))

    @rule()
    def come_back(self) -> None:
        self.reconnect_all()

    @rule()
    def look(self) -> None:
        for name in NAMES:
            step = self._step()
            if name in step.room.members and name not in self.away:
                self.states[name].open_room(step.number, self.store.view(name, step.number))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("store"))


def run(template: Path, client: type[ClientState] = ClientState) -> None:
    Conversation.template, Conversation.client = template, client
    Conversation.outcomes.clear()
    run_state_machine_as_test(
        Conversation,
        settings=settings(
            max_examples=depth.rounds("conversations", short=15, long=100),
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
    assert len(done) > (0.8 if depth.PROVING else 0.6) * len(durable), durable - done


class Forgetful(ClientState):
    """A client that ignores read positions from other devices, which occur in every run."""

    def _room_read_moved(self, event: Json) -> None:
        pass


def test_control_a_client_that_misses_an_event_type_is_detected(template: Path) -> None:
    with pytest.raises(AssertionError):
        run(template, Forgetful)
