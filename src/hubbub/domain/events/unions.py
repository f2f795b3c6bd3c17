"""The unions of all events: `ClientEvent`, `InternalEvent`.

Written by `make contract` from the definitions. Do not edit.
"""

from hubbub.domain.events.members import (
    MemberBanned,
    MemberJoined,
    MemberLeft,
    MemberRemoved,
    MemberRoleChanged,
    MemberUnbanned,
)
from hubbub.domain.events.messages import (
    MessageDeleted,
    MessageEdited,
    MessagePinned,
    MessageSent,
    MessageUnpinned,
)
from hubbub.domain.events.presence import (
    StatusChanged,
)
from hubbub.domain.events.reactions import (
    ReactionAdded,
    ReactionRemoved,
)
from hubbub.domain.events.reads import (
    ReadMoved,
)
from hubbub.domain.events.rooms import (
    RoomAdded,
    RoomArchived,
    RoomCreated,
    RoomPreferencesChanged,
    RoomRemoved,
    RoomRestored,
    RoomUpdated,
)
from hubbub.domain.events.security import (
    AccountDisabled,
    FollowerChanged,
    IdentityRevoked,
    SessionRevoked,
    SettingChanged,
)
from hubbub.domain.events.sessions import (
    SessionClosed,
    SessionOpened,
)
from hubbub.domain.events.site import (
    SiteUpdated,
)

ClientEvent = (
    MessageSent
    | MessageEdited
    | MessageDeleted
    | MessagePinned
    | MessageUnpinned
    | ReactionAdded
    | ReactionRemoved
    | MemberJoined
    | MemberLeft
    | MemberRemoved
    | MemberBanned
    | MemberUnbanned
    | MemberRoleChanged
    | RoomCreated
    | RoomUpdated
    | RoomArchived
    | RoomRestored
    | RoomAdded
    | RoomRemoved
    | RoomPreferencesChanged
    | ReadMoved
    | StatusChanged
    | SessionOpened
    | SessionClosed
    | SiteUpdated
)
"""Events that clients see."""
InternalEvent = SessionRevoked | AccountDisabled | IdentityRevoked | FollowerChanged | SettingChanged
"""Events that only servers see."""
