"""The unions of all commands: `AnyWireCommand`, `AnyStaffCommand`, `AnySignal`.

Written by `make contract` from the definitions. Do not edit.
"""

from hubbub.domain.commands.followers import (
    DropDeadLetter,
    PauseFollower,
    ReplayFollower,
    ResumeFollower,
    RetryDeadLetter,
)
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
    PinMessage,
    SendMessage,
    UnpinMessage,
)
from hubbub.domain.commands.presence import (
    SetIdle,
    SetStatus,
    Typing,
    WatchPresence,
)
from hubbub.domain.commands.reactions import (
    AddReaction,
    RemoveReaction,
)
from hubbub.domain.commands.reads import (
    ReadRoom,
    ReadRooms,
    UnreadRoom,
)
from hubbub.domain.commands.rooms import (
    ArchiveRoom,
    CreateRoom,
    RestoreRoom,
    SetRoomPreferences,
    UpdateRoom,
)
from hubbub.domain.commands.site_settings import (
    SetSetting,
    UnsetSetting,
)

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
"""Commands with a wire name."""
AnyStaffCommand = (
    PauseFollower | ResumeFollower | ReplayFollower | RetryDeadLetter | DropDeadLetter | SetSetting | UnsetSetting
)
"""Commands that staff sends over REST, but not over WebSocket: they have a route and no wire name."""
AnySignal = Typing | SetIdle | WatchPresence
"""Signals, which are not stored."""
