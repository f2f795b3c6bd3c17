"""The handlers of commands, one noun per file: `def verb(command, actor, tx)`.

A handler runs inside a transaction. It checks the permissions first, then writes, appends events to
the transaction and returns the answer for the actor. It raises before it writes. The tables here
map each command to its handler; a test compares them with the list of commands. Bulk handlers get
several commands of one kind at once.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hubbub.domain import commands as c
from hubbub.domain.errors import HubbubError
from hubbub.domain.model import Actor
from hubbub.features import (
    accounts,
    edits,
    identities,
    invites,
    maintenance,
    members,
    messages,
    pins,
    presence,
    reactions,
    reads,
    rooms,
    sessions,
)
from hubbub.storage.transaction import Transaction

Answer = dict[str, object]
Handler = Callable[[Any, Actor, Transaction], Answer]
BulkHandler = Callable[[Sequence[tuple[Any, Actor]], Transaction], list[Answer | HubbubError]]

BULK: Mapping[type[c.Command], BulkHandler] = {
    c.SendMessage: messages.send,
    c.AddReaction: reactions.add,
    c.RemoveReaction: reactions.remove,
    c.ReadRoom: reads.read,
    c.ReadRooms: reads.read_all,
}

HANDLERS: Mapping[type[c.Command], Handler] = {
    c.ForwardMessage: messages.forward,
    c.EditMessage: edits.edit,
    c.DeleteMessage: edits.delete,
    c.PinMessage: pins.pin,
    c.UnpinMessage: pins.unpin,
    c.CreateRoom: rooms.create,
    c.UpdateRoom: rooms.update,
    c.ArchiveRoom: rooms.archive,
    c.RestoreRoom: rooms.restore,
    c.SetRoomPreferences: rooms.set_preferences,
    c.JoinRoom: members.join,
    c.LeaveRoom: members.leave,
    c.AddMember: members.add,
    c.RemoveMember: members.remove,
    c.BanMember: members.ban,
    c.UnbanMember: members.unban,
    c.SetMemberRole: members.set_role,
    c.UnreadRoom: reads.unread,
    c.CreateAccount: accounts.create,
    c.OpenGuest: accounts.open_guest,
    c.CloseGuest: accounts.close_guest,
    c.ChangePassword: accounts.change_password,
    c.SetDisabled: accounts.set_disabled,
    c.DeleteAccount: accounts.delete,
    c.AdmitIdentity: accounts.admit,
    c.RevokeIdentity: identities.revoke,
    c.OpenSession: sessions.open_,
    c.RotateSession: sessions.rotate,
    c.TouchSession: sessions.touch,
    c.RevokeSessions: sessions.revoke,
    c.CreateInvite: invites.create,
    c.RevokeInvite: invites.revoke,
    c.AcceptInvite: invites.accept,
    c.CreateOneTimeToken: invites.create_link,
    c.SetStatus: presence.set_,
    c.TrimTopic: maintenance.trim,
    c.ForgetInvites: maintenance.forget_invites,
}
