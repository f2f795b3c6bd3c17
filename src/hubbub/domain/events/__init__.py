"""All events. Each is an entry of a topic's log; the journal assigns its position.

Written by `make contract` from the definitions. Do not edit.
On the wire an event is one flat object: ``{"topic", "seq", "type", "at", …its own fields}``.
"""

from hubbub.domain.events.base import (
    ENVELOPE,
    Entry,
    Event,
    PersonalEvent,
    RoomEvent,
    SecurityEvent,
    SiteRoomEvent,
)
from hubbub.domain.events.members import (
    MemberBanned,
    MemberJoined,
    MemberLeft,
    MemberRemoved,
    MemberRoleChanged,
    MembershipEvent,
    MemberUnbanned,
)
from hubbub.domain.events.messages import (
    MessageDeleted,
    MessageEdited,
    MessageEvent,
    MessagePinned,
    MessageSent,
    MessageUnpinned,
)
from hubbub.domain.events.pages import (
    BY_TYPE,
    CLIENT_EVENTS,
    EVENTS,
    ChatEvent,
    EventPage,
    NoWay,
)
from hubbub.domain.events.presence import (
    StatusChanged,
)
from hubbub.domain.events.reactions import (
    ReactionAdded,
    ReactionEvent,
    ReactionRemoved,
)
from hubbub.domain.events.reads import (
    ReadMoved,
)
from hubbub.domain.events.rooms import (
    RoomAdded,
    RoomArchived,
    RoomChanges,
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
    SiteChanges,
    SiteUpdated,
)
from hubbub.domain.events.unions import (
    ClientEvent,
    InternalEvent,
)

__all__ = [
    "BY_TYPE",
    "CLIENT_EVENTS",
    "ENVELOPE",
    "EVENTS",
    "AccountDisabled",
    "ChatEvent",
    "ClientEvent",
    "Entry",
    "Event",
    "EventPage",
    "FollowerChanged",
    "IdentityRevoked",
    "InternalEvent",
    "MemberBanned",
    "MemberJoined",
    "MemberLeft",
    "MemberRemoved",
    "MemberRoleChanged",
    "MemberUnbanned",
    "MembershipEvent",
    "MessageDeleted",
    "MessageEdited",
    "MessageEvent",
    "MessagePinned",
    "MessageSent",
    "MessageUnpinned",
    "NoWay",
    "PersonalEvent",
    "ReactionAdded",
    "ReactionEvent",
    "ReactionRemoved",
    "ReadMoved",
    "RoomAdded",
    "RoomArchived",
    "RoomChanges",
    "RoomCreated",
    "RoomEvent",
    "RoomPreferencesChanged",
    "RoomRemoved",
    "RoomRestored",
    "RoomUpdated",
    "SecurityEvent",
    "SessionClosed",
    "SessionOpened",
    "SessionRevoked",
    "SettingChanged",
    "SiteChanges",
    "SiteRoomEvent",
    "SiteUpdated",
    "StatusChanged",
]
