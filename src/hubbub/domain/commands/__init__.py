"""All commands.

One definition feeds validation, REST, the wire and their references.

A command names the topics it will write (`topics`), so that the journal can lock them before a
handler reads. Clients may send commands that have a wire name (`type`). The gateways build the
other commands from requests that carry secrets, so that only the hash of a password or a token
reaches the journal.
"""

from typing import Annotated

from pydantic import Field, TypeAdapter

from hubbub.domain.commands.accounts import (
    AdmitIdentity,
    CloseGuest,
    CreateAccount,
    DeleteAccount,
    OpenGuest,
    RevokeIdentity,
    SetDisabled,
)
from hubbub.domain.commands.base import Command, Id, MessageSeq, Requires, Seq, Topic
from hubbub.domain.commands.followers import (
    AnyStaffFollowerCommand,
    DropDeadLetter,
    FollowerCommand,
    ForgetDeadLetters,
    PauseFollower,
    ReplayFollower,
    ResumeFollower,
    RetryDeadLetter,
)
from hubbub.domain.commands.invites import AcceptInvite, CreateInvite, CreateOneTimeToken, RevokeInvite
from hubbub.domain.commands.maintenance import Prunable, Prune, TrimTopic
from hubbub.domain.commands.members import (
    AddMember,
    BanMember,
    JoinRoom,
    LeaveRoom,
    RemoveMember,
    SetMemberRole,
    UnbanMember,
)
from hubbub.domain.commands.messages import (
    DeleteMessage,
    EditMessage,
    ForwardMessage,
    MessagePage,
    PinMessage,
    PostCommand,
    SendMessage,
    UnpinMessage,
)
from hubbub.domain.commands.presence import (
    SIGNAL_TYPES,
    SIGNALS,
    AnySignal,
    SetIdle,
    SetStatus,
    Signal,
    Typing,
    WatchPresence,
)
from hubbub.domain.commands.reactions import AddReaction, RemoveReaction
from hubbub.domain.commands.reads import ReadRoom, ReadRooms, RoomRead, UnreadRoom
from hubbub.domain.commands.rooms import (
    TOO_MANY,
    ArchiveRoom,
    CreateRoom,
    RestoreRoom,
    SetRoomPreferences,
    UpdateRoom,
)
from hubbub.domain.commands.sessions import ChangePassword, OpenSession, RevokeSessions, RotateSession, TouchSession
from hubbub.domain.commands.site_settings import AnySettingCommand, SetSetting, SettingCommand, UnsetSetting
from hubbub.domain.commands.sync import EventsSince

__all__ = [
    "SIGNALS",
    "SIGNAL_TYPES",
    "TOO_MANY",
    "WIRE_COMMANDS",
    "AcceptInvite",
    "AddMember",
    "AddReaction",
    "AdmitIdentity",
    "AnySignal",
    "AnyStaffCommand",
    "AnyWireCommand",
    "ArchiveRoom",
    "BanMember",
    "ChangePassword",
    "CloseGuest",
    "Command",
    "CreateAccount",
    "CreateInvite",
    "CreateOneTimeToken",
    "CreateRoom",
    "DeleteAccount",
    "DeleteMessage",
    "DropDeadLetter",
    "EditMessage",
    "EventsSince",
    "FollowerCommand",
    "ForgetDeadLetters",
    "ForwardMessage",
    "Id",
    "JoinRoom",
    "LeaveRoom",
    "MessagePage",
    "MessageSeq",
    "OpenGuest",
    "OpenSession",
    "PauseFollower",
    "PinMessage",
    "PostCommand",
    "Prunable",
    "Prune",
    "ReadRoom",
    "ReadRooms",
    "RemoveMember",
    "RemoveReaction",
    "ReplayFollower",
    "Requires",
    "RestoreRoom",
    "ResumeFollower",
    "RetryDeadLetter",
    "RevokeIdentity",
    "RevokeInvite",
    "RevokeSessions",
    "RoomRead",
    "RotateSession",
    "SendMessage",
    "Seq",
    "SetDisabled",
    "SetIdle",
    "SetMemberRole",
    "SetRoomPreferences",
    "SetSetting",
    "SetStatus",
    "SettingCommand",
    "Signal",
    "Topic",
    "TouchSession",
    "TrimTopic",
    "Typing",
    "UnbanMember",
    "UnpinMessage",
    "UnreadRoom",
    "UnsetSetting",
    "UpdateRoom",
    "WatchPresence",
    "WireCommand",
]

AnyWireCommand = (
    SendMessage
    | ForwardMessage
    | EditMessage
    | DeleteMessage
    | PinMessage
    | UnpinMessage
    | AddReaction
    | RemoveReaction
    | CreateRoom
    | UpdateRoom
    | ArchiveRoom
    | RestoreRoom
    | SetRoomPreferences
    | JoinRoom
    | LeaveRoom
    | AddMember
    | RemoveMember
    | BanMember
    | UnbanMember
    | SetMemberRole
    | ReadRoom
    | UnreadRoom
    | ReadRooms
    | SetStatus
)
AnyStaffCommand = AnyStaffFollowerCommand | AnySettingCommand
"""Commands that staff sends over REST, but not over WebSocket."""
WireCommand = Annotated[AnyWireCommand, Field(discriminator="type")]
WIRE_COMMANDS: TypeAdapter[AnyWireCommand] = TypeAdapter(WireCommand)
