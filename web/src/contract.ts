/** The types of the contract. Written by `make contract` from the server's models. Do not edit. */

/** Add a user to a room. Idempotent. */
export interface AddMember {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  room: number;
  /** The other user's id. */
  user: number;
  type: "member.add";
}

/** React to a message with an emoji. Idempotent. */
export interface AddReaction {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  room: number;
  /** The message's seq. */
  message: number;
  type: "reaction.add";
  /** Exactly one Unicode emoji. */
  emoji: string;
}

/** What `ok` contains, by the type of the request. */
export interface Answers {
  "message.send": Position;
  "message.forward": Position;
  "message.edit": MaybePosition;
  "message.delete": MaybePosition;
  "message.pin": MaybePosition;
  "message.unpin": MaybePosition;
  "reaction.add": MaybePosition;
  "reaction.remove": MaybePosition;
  "room.create": RoomPosition;
  "room.update": MaybePosition;
  "room.archive": MaybePosition;
  "room.restore": MaybePosition;
  "room.set_preferences": MaybePosition;
  "room.join": RoomPosition;
  "room.leave": Position;
  "member.add": MaybePosition;
  "member.remove": Position;
  "member.ban": MaybePosition;
  "member.unban": MaybePosition;
  "member.set_role": MaybePosition;
  "room.read": MaybePosition;
  "room.unread": MaybePosition;
  "rooms.read": MaybePosition;
  "status.set": MaybePosition;
  typing: EmptyAnswer;
  "presence.idle": EmptyAnswer;
  "presence.watch": Presences;
  "events.since": EventPage | NoWay;
  ping: EmptyAnswer;
}

/** Archive a room. Requires the room's owner or an admin. Idempotent. An archived room is read-only, except for deletions and a change of owner. */
export interface ArchiveRoom {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "room.archive";
  room: number;
}

/** A user who is banned from a room. */
export interface Ban {
  /** The user's id. */
  user: number;
  /** The user's name. */
  user_name: string;
  /** The id of the user who set the ban. */
  by: number;
  at: string;
  reason?: string;
}

/** Ban another user: remove them from a room and keep them from joining it. The user need not be a member. Idempotent. */
export interface BanMember {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  room: number;
  /** The other user's id. */
  user: number;
  type: "member.ban";
  /** Shown to the banned user and to the room's moderators. */
  reason?: string;
}

/** The body of `ban_member`. */
export interface BanMemberBody {
  /** Shown to the banned user and to the room's moderators. */
  reason?: string;
}

/** A page of a room's bans, ordered by user id. */
export interface BansPage {
  bans: Ban[];
  /** Whether there are further bans. */
  more: boolean;
}

/** Whether there are more messages before and after a page. */
export interface Beyond {
  before: boolean;
  after: boolean;
}

export type ChatEvent = MessageSent | MessageEdited | MessageDeleted | MessagePinned | MessageUnpinned | ReactionAdded | ReactionRemoved | MemberJoined | MemberLeft | MemberRemoved | MemberBanned | MemberUnbanned | MemberRoleChanged | RoomCreated | RoomUpdated | RoomArchived | RoomRestored | RoomAdded | RoomRemoved | RoomPreferencesChanged | ReadMoved | StatusChanged | SessionOpened | SessionClosed | SiteUpdated;

/** What an invite allows at present. */
export interface Checked {
  /** Whether the invite is usable at all. */
  valid: boolean;
  /** Whether the invite allows sign-up. Otherwise only users with an account can use it. */
  signup: boolean;
  /** The id of the room the invite admits to; null for the site alone. */
  room: number | null;
  /** That room's name. */
  room_name: string | null;
}

/** A frame from the client: `hello` first, then commands, queries and pings. */
export type ClientFrame = Hello | SendMessage | ForwardMessage | EditMessage | DeleteMessage | PinMessage | UnpinMessage | AddReaction | RemoveReaction | CreateRoom | UpdateRoom | ArchiveRoom | RestoreRoom | SetRoomPreferences | JoinRoom | LeaveRoom | AddMember | RemoveMember | BanMember | UnbanMember | SetMemberRole | ReadRoom | UnreadRoom | ReadRooms | SetStatus | EventsSince | Typing | SetIdle | WatchPresence | Ping;

/** The answer to a rejected frame. The connection stays open. */
export interface CommandRefused {
  /** The `id` of the command or query; null for a frame without a valid one. */
  re: number | null;
  error: Refusal;
}

/** Create a room. You become its owner; in a direct room all are plain members. A retry with the same key gets the same room. The same people share one direct room: if it exists already, the answer is that room. */
export interface CreateRoom {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "room.create";
  kind?: "public" | "private" | "direct";
  /** 1 to 64 printable characters, unique among public rooms, also among names that look alike. Direct rooms have no name; all other rooms need one. */
  name?: string | null;
  topic?: string;
  /** What the room is for; several lines are allowed. */
  description?: string;
  /** What new members may read: `all` messages, or only those sent since they `joined`. */
  history?: "all" | "joined";
  /** The ids of other users who are members from the start. In a direct room, at most nine. */
  members?: number[];
  /** An idempotency key: a retry with the same key gets the same room, for 30 days. */
  key?: string | null;
}

/** The body of `create_room`. */
export interface CreateRoomBody {
  kind?: "public" | "private" | "direct";
  /** 1 to 64 printable characters, unique among public rooms, also among names that look alike. Direct rooms have no name; all other rooms need one. */
  name?: string | null;
  topic?: string;
  /** What the room is for; several lines are allowed. */
  description?: string;
  /** What new members may read: `all` messages, or only those sent since they `joined`. */
  history?: "all" | "joined";
  /** The ids of other users who are members from the start. In a direct room, at most nine. */
  members?: number[];
  /** An idempotency key: a retry with the same key gets the same room, for 30 days. */
  key?: string | null;
}

/** An entry of the log that a follower could not handle. */
export interface DeadLetter {
  topic: string;
  seq: number;
  /** When the follower gave up. */
  at: string;
  attempts: number;
  reason: string;
  /** Whether the follower will handle the entry again. */
  retry: boolean;
}

/** A page of dead letters, in the order of topics and seqs. */
export interface DeadLetters {
  dead_letters: DeadLetter[];
  /** Whether there are further dead letters. */
  more: boolean;
}

/** Delete a message for everyone. Idempotent. Authors delete their own messages; moderators delete any message, except in direct rooms. */
export interface DeleteMessage {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  room: number;
  /** The message's seq. */
  message: number;
  type: "message.delete";
}

/** The last attempts to send events, the newest first. */
export interface Deliveries {
  deliveries: Delivery[];
}

/** An attempt to send an event to a webhook. */
export interface Delivery {
  /** When the attempt ended. */
  at: string;
  /** The type of the event; `webhook.test` for a test event. `webhook.lost` stands for events that the log no longer had when they could be sent: `seq` is the last one of them. */
  type: string;
  /** The room of the event; null for a test event. */
  room: number | null;
  /** The event's seq in the room; null for a test event. */
  seq: number | null;
  /** The status of the receiver's response; null if there was none. */
  status: number | null;
  /** How long the attempt took. */
  milliseconds: number;
  /** Why the attempt failed, for people; null if it succeeded. */
  error: string | null;
}

/** Change the text of your own message. The same text changes nothing. */
export interface EditMessage {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  room: number;
  /** The message's seq. */
  message: number;
  type: "message.edit";
  body: string;
}

/** The body of `edit_message`. */
export interface EditMessageBody {
  body: string;
}

/** A page of a message's earlier versions, oldest first. */
export interface EditsPage {
  edits: Revision[];
  /** Whether there are further versions. */
  more: boolean;
  /** The head of the room's topic at the time of reading. */
  heads: Record<string, number>;
}

/** An empty object. */
export type EmptyAnswer = Record<string, never>;

/** The body of every error response. */
export interface ErrorBody {
  error: Refusal;
}

/** The events after the given position, in order and without gaps. */
export interface EventPage {
  epoch: string;
  events: ChatEvent[];
  /** The topic's newest seq. */
  head: number;
  /** Whether there are further events, up to `head`. */
  more: boolean;
}

/** Get the events of `topic` after the position (`epoch`, `after`). Without `epoch`, the current epoch is meant. */
export interface EventsSince {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "events.since";
  topic: string;
  /** The seq up to which the client has all events. */
  after: number;
  /** The epoch that seq belongs to. */
  epoch?: string | null;
  /** The highest number of events in the page; a page also ends before it exceeds 256 KiB. */
  limit?: number;
}

/** A durable consumer of topics, such as the search index, as staff sees it. */
export interface Follower {
  name: string;
  /** The topic that it follows, or the beginning of its topics, such as `room:`. */
  scope: string;
  state: "starting" | "running" | "paused";
  created_at: string;
  /** The number of topics with entries that it has not handled yet. */
  topic_count: number;
  /** The number of these entries. */
  entry_count: number;
  /** The time of the oldest of these entries. */
  oldest_at: string | null;
  dead_letter_count: number;
  failing_since: string | null;
  next_attempt_at: string | null;
  last_error: string | null;
  last_error_at: string | null;
}

/** A page of followers, in the order of their names. */
export interface Followers {
  followers: Follower[];
  /** Whether there are further followers. */
  more: boolean;
}

/** Copy a message from another room you are a member of into `room`. You are the author of the copy. */
export interface ForwardMessage {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "message.forward";
  /** The id of the room that gets the copy. */
  room: number;
  /** As in `message.send`. Both commands share one set of keys. */
  key: string;
  /** The id of the original message's room. */
  from_room: number;
  /** The seq of the original message in its room. */
  message: number;
}

/** The body of `forward_message`. */
export interface ForwardMessageBody {
  /** As in `message.send`. Both commands share one set of keys. */
  key: string;
  /** The id of the original message's room. */
  from_room: number;
  /** The seq of the original message in its room. */
  message: number;
}

/** The origin of a forwarded message. */
export interface Forwarded {
  /** The id of the original author. */
  by: number;
  /** The name of the original author: in events as it was then, in pages as it is now. */
  name: string;
  /** When the original message was sent. */
  at: string;
  /** The id of the original room, if that room is public or the same. */
  room?: number;
  /** The seq of the original message in that room. */
  message?: number;
}

/** A message that a search has found. */
export interface FoundMessage {
  message: Message;
  /** Where the body contains the words: `[start, end]` in UTF-16 code units, ascending. */
  highlights: number[][];
}

/** The welcome message of the tutorial's first step. */
export interface Greeting {
  message: string;
}

/** The result of a health check. */
export interface Health {
  status: "ok";
}

/** The first frame from the client: its credential, and its positions. */
export interface Hello {
  type: "hello";
  /** An access token. Not needed if the handshake had a cookie or a bearer token. */
  token?: string | null;
  /** The epoch of the seqs in `have`. */
  epoch?: string | null;
  /** By topic, the seq up to which the client has all events. Topics that are left out start at their head. */
  have?: Record<string, number>;
}

/** How far the search index is built. */
export interface Indexing {
  /** How many messages are indexed. */
  done_count: number;
  total_count: number;
}

/** A permission to sign up or to join a room. */
export interface Invite {
  id: string;
  /** How often the invite was used. */
  uses: number;
  /** How often the invite can be used; null for any number. */
  max_uses: number | null;
  /** The creator's id. */
  created_by: number;
  created_at: string;
  /** Null if the invite never expires. */
  expires_at: string | null;
  /** The id of the room the invite leads into, if any. */
  room?: number;
  /** Whether new users can sign up with it. Otherwise only users with an account can use it. */
  signup?: boolean;
  /** Only in the answer that creates the invite: the server stores a hash. */
  token?: string;
  /** The URL to share; present together with `token`. */
  link?: string;
}

/** A page of usable invites, newest first. */
export interface Invites {
  invites: Invite[];
  /** Whether there are further invites. */
  more: boolean;
}

/** Join a room. If the room has no active owner, the new member becomes its owner. Idempotent. */
export interface JoinRoom {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "room.join";
  room: number;
}

/** Leave a room. Users cannot leave the lobby or a direct room. An owner must first transfer ownership, unless they are the only member. */
export interface LeaveRoom {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "room.leave";
  room: number;
}

/** A username and password. */
export interface Login {
  username: string;
  password: string;
}

/** The position of the change in the log; empty if nothing changed. */
export interface MaybePosition {
  topic?: string;
  /** The seq of the event of this change. */
  seq?: number;
}

/** The user's own profile, with the two fields of the FastAPI tutorial. */
export interface Me {
  id: number;
  /** Unique, also among names that look alike. */
  name: string;
  role: Role;
  created_at: string;
  username: string;
  message: string;
}

/** A member of a room. */
export interface Member {
  /** The user's id. */
  id: number;
  name: string;
  /** True for a bot of the host application, else left out. */
  bot?: boolean;
  /** The member's role in the room. */
  role: RoomRole;
  joined_at: string;
}

/** A user was banned. If they were a member, their membership ends. */
export interface MemberBanned {
  /** The log of the event: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without gaps. */
  seq: number;
  type: "member.banned";
  /** The time of the event. Only `seq` orders events. */
  at: string;
  /** The room's id. */
  room: number;
  /** The id of the user whose membership it is. */
  user: number;
  /** That user's name at that time. */
  user_name: string;
  /** The actor's id. */
  by: number;
  /** Whether the ban ended a membership. */
  was_member: boolean;
}

/** A user joined the room or was added to it. */
export interface MemberJoined {
  /** The log of the event: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without gaps. */
  seq: number;
  type: "member.joined";
  /** The time of the event. Only `seq` orders events. */
  at: string;
  /** The room's id. */
  room: number;
  /** The id of the user whose membership it is. */
  user: number;
  /** That user's name at that time. */
  user_name: string;
  /** The actor's id. */
  by: number;
}

/** A member left the room. */
export interface MemberLeft {
  /** The log of the event: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without gaps. */
  seq: number;
  type: "member.left";
  /** The time of the event. Only `seq` orders events. */
  at: string;
  /** The room's id. */
  room: number;
  /** The id of the user whose membership it is. */
  user: number;
  /** That user's name at that time. */
  user_name: string;
  /** The actor's id. */
  by: number;
}

/** A member was removed by another user. */
export interface MemberRemoved {
  /** The log of the event: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without gaps. */
  seq: number;
  type: "member.removed";
  /** The time of the event. Only `seq` orders events. */
  at: string;
  /** The room's id. */
  room: number;
  /** The id of the user whose membership it is. */
  user: number;
  /** That user's name at that time. */
  user_name: string;
  /** The actor's id. */
  by: number;
}

/** A member's role changed. A change of owner takes two of these events. */
export interface MemberRoleChanged {
  /** The log of the event: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without gaps. */
  seq: number;
  type: "member.role_changed";
  /** The time of the event. Only `seq` orders events. */
  at: string;
  /** The room's id. */
  room: number;
  /** The id of the user whose membership it is. */
  user: number;
  /** That user's name at that time. */
  user_name: string;
  /** The actor's id. */
  by: number;
  role: RoomRole;
}

/** A ban was lifted: the user may join again. */
export interface MemberUnbanned {
  /** The log of the event: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without gaps. */
  seq: number;
  type: "member.unbanned";
  /** The time of the event. Only `seq` orders events. */
  at: string;
  /** The room's id. */
  room: number;
  /** The id of the user whose membership it is. */
  user: number;
  /** That user's name at that time. */
  user_name: string;
  /** The actor's id. */
  by: number;
}

/** A page of a room's members, ordered by user id, or the best match first. */
export interface MembersPage {
  members: Member[];
  /** Whether there are further members. */
  more: boolean;
  /** The head of the room's topic at the time of reading. */
  heads: Record<string, number>;
}

/** The users a message mentions. */
export interface Mentions {
  /** The ids of members mentioned by name, of the author of the message it replies to and, for `here`, of members who were connected. */
  users?: number[];
  /** Whether the message mentions all members (`@room`). */
  room?: boolean;
  /** Whether the message mentions all members who were connected when it was sent (`@here`). */
  here?: boolean;
}

/** A message in a page of history. */
export interface Message {
  /** The room's id. */
  room: number;
  /** The position in the room's log; (room, seq) identifies a message. */
  seq: number;
  /** The number of the message in its room, counted from 1 without gaps. */
  n: number;
  /** When the message was sent. */
  at: string;
  /** The author's id. */
  by: number;
  /** The author's current name; a neutral one if the account was deleted. */
  name: string;
  /** True if the author is a bot of the host application, else left out. */
  bot?: boolean;
  /** The idempotency key the author sent. */
  key: string;
  /** Null if the message was deleted. */
  body: string | null;
  /** Whether the message was deleted. It keeps its position. */
  deleted?: boolean;
  /** When the message was last edited. */
  edited_at?: string;
  /** The seq of the message this is a reply to. */
  reply_to?: number;
  forwarded?: Forwarded;
  mentions?: Mentions;
  /** Whether the message is pinned. */
  pinned?: boolean;
  /** In the order in which the emoji were first used. */
  reactions?: Reaction[];
}

/** The message was deleted, together with its reactions, pin and edit history. */
export interface MessageDeleted {
  /** The log of the event: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without gaps. */
  seq: number;
  type: "message.deleted";
  /** The time of the event. Only `seq` orders events. */
  at: string;
  /** The room's id. */
  room: number;
  /** The message's seq. */
  message: number;
  /** The actor's id. */
  by: number;
  /** The author's id. */
  author: number;
  /** The users the message mentioned. */
  mentioned?: Mentions;
}

/** The author edited the message. */
export interface MessageEdited {
  /** The log of the event: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without gaps. */
  seq: number;
  type: "message.edited";
  /** The time of the event. Only `seq` orders events. */
  at: string;
  /** The room's id. */
  room: number;
  /** The message's seq. */
  message: number;
  /** The actor's id. */
  by: number;
  /** The text, at the moment the event is sent or read. Null if the message was deleted since, or if not all recipients of the event can read the message: load it instead. */
  body: string | null;
  /** The users mentioned now. */
  mentions?: Mentions;
  /** The users mentioned before the edit. */
  mentioned?: Mentions;
}

/** The message was pinned. */
export interface MessagePinned {
  /** The log of the event: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without gaps. */
  seq: number;
  type: "message.pinned";
  /** The time of the event. Only `seq` orders events. */
  at: string;
  /** The room's id. */
  room: number;
  /** The message's seq. */
  message: number;
  /** The actor's id. */
  by: number;
  /** The actor's name. */
  name: string;
}

/** A message was sent. */
export interface MessageSent {
  /** The log of the event: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without gaps. */
  seq: number;
  type: "message.sent";
  /** The time of the event. Only `seq` orders events. */
  at: string;
  /** The room's id. */
  room: number;
  /** The author's id. */
  by: number;
  /** The author's name. */
  name: string;
  /** True if the author is a bot of the host application, else left out. */
  bot?: boolean;
  /** The number of the message in its room, counted from 1 without gaps. */
  n: number;
  /** The idempotency key of the command. The author's client finds the message in its queue by it. */
  key: string;
  /** The text, at the moment the event is sent or read. Null if the message was deleted since. */
  body: string | null;
  /** The seq of the message this is a reply to. */
  reply_to?: number;
  forwarded?: Forwarded;
  /** The users that the message mentioned when it was sent; left out if there were none. */
  mentions?: Mentions;
}

/** The message was unpinned. */
export interface MessageUnpinned {
  /** The log of the event: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without gaps. */
  seq: number;
  type: "message.unpinned";
  /** The time of the event. Only `seq` orders events. */
  at: string;
  /** The room's id. */
  room: number;
  /** The message's seq. */
  message: number;
  /** The actor's id. */
  by: number;
  /** The actor's name. */
  name: string;
}

/** A page of history. */
export interface Messages {
  /** By ascending seq. */
  messages: Message[];
  /** The messages that messages of the page reply to, if the caller may read them. */
  quotes: Message[];
  more: Beyond;
  /** The head of the room's topic at the time of reading. */
  heads: Record<string, number>;
}

/** The topic has more missed events than were sent: use `events.since`. */
export interface More {
  type: "more";
  topic: string;
  /** The topic's newest seq. */
  head: number;
}

/** A sign-up. `invite` and `setup` are the tokens of an invite link and of the owner's setup link. */
export interface NewAccount {
  /** 1 to 32 letters, digits, dots, dashes and underscores, in one script. */
  username: string;
  /** At least 8 characters, at most 1,024 bytes. */
  password: string;
  invite?: string | null;
  setup?: string | null;
}

/** An invite to create. With a `room`, it also admits to that room. A retry with the same `key` returns the same invite. Only invites created by admins allow sign-up. */
export interface NewInvite {
  /** null for any number */
  max_uses?: number | null;
  /** seconds; null for never */
  expires_in?: number | null;
  room?: number | null;
  key?: string | null;
}

/** The current password, and a new one of 8 characters to 1,024 bytes. */
export interface NewPassword {
  current_password: string;
  new_password: string;
}

/** A new password set with a reset link; `token` is the link's token. */
export interface NewStart {
  token: string;
  password: string;
}

/** A webhook to create. A retry with the same `key` returns the same webhook. */
export interface NewWebhook {
  /** The room that sends its events. Without one, all public rooms do, which only admins may choose. */
  room?: number | null;
  name: string;
  url: string;
  events: ("message.sent" | "message.edited" | "message.deleted" | "message.pinned" | "message.unpinned" | "reaction.added" | "reaction.removed" | "member.joined" | "member.left" | "member.removed" | "member.banned" | "member.unbanned" | "member.role_changed" | "room.created" | "room.updated" | "room.archived" | "room.restored")[];
  key?: string | null;
}

/** The requested events are not available: load the state, continue at its heads. */
export interface NoWay {
  epoch: string;
  reset: true;
  /** The topic's newest seq. */
  head: number;
  /** The last seq that is no longer available; 0 if there is none. */
  floor: number;
}

/** The answer of a command that has nothing to tell. */
export type Nothing = Record<string, never>;

/** The answer to a command or a query. */
export interface Ok {
  /** The `id` of the command or query. */
  re: number;
  ok: RoomPosition | Position | MaybePosition | EventPage | NoWay | Presences | EmptyAnswer;
}

/** A single message. */
export interface OneMessage {
  message: Message;
  /** The message it replies to, if the caller may read it. */
  quotes: Message[];
  /** The head of the room's topic at the time of reading. */
  heads: Record<string, number>;
}

/** A page of the users who are online in a room, ordered by user id. */
export interface Online {
  /** Members with an open connection on any device. */
  users: Person[];
  /** Whether there are further users. */
  more: boolean;
}

/** The caller's own password, as confirmation. */
export interface Password {
  password: string;
}

/** A user's id and name. */
export interface Person {
  id: number;
  name: string;
}

/** A pinned message. */
export interface Pin {
  /** The seq of the pin's event in the room's log. */
  seq: number;
  message: Message;
  /** The id of the user who pinned the message. */
  by: number;
  /** The name of that user. */
  name: string;
  /** When the message was pinned. */
  at: string;
}

/** Pin a message for all members. Idempotent. */
export interface PinMessage {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  room: number;
  /** The message's seq. */
  message: number;
  type: "message.pin";
}

/** Ask the server for a `pong`, to check the connection. */
export interface Ping {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id?: number;
  type: "ping";
}

/** A page of a room's pinned messages, newest first. */
export interface PinsPage {
  pins: Pin[];
  /** Whether there are older pins. */
  more: boolean;
  /** The head of the room's topic at the time of reading. */
  heads: Record<string, number>;
}

/** The answer to `ping`. */
export interface Pong {
  type: "pong";
}

/** The position of the change in the log. */
export interface Position {
  topic: string;
  /** The seq of the event of this change. */
  seq: number;
}

/** A user's presence, as other users see it. */
export interface Presence {
  /** The user's id. */
  user: number;
  /** `away` includes users who are idle on every device, `offline` includes invisible users. */
  status: "online" | "away" | "dnd" | "offline";
  /** The status text. */
  text?: string;
  /** The status emoji. */
  emoji?: string;
  /** When `text` and `emoji` expire. */
  until?: string;
}

/** The presence of watched users changed. */
export interface PresenceChanged {
  type: "presence";
  /** The users whose presence changed. */
  presences: Presence[];
}

/** The presence of several users. */
export interface Presences {
  /** In the order of the request. */
  presences: Presence[];
}

/** A user's reaction. */
export interface Reacted {
  emoji: string;
  /** The user's id. */
  by: number;
  /** The user's name. */
  name: string;
  /** The position of the reaction in the room's log. */
  seq: number;
}

/** An emoji that users reacted with to a message. */
export interface Reaction {
  /** In its fully qualified form, so that one emoji always has the same text. */
  emoji: string;
  /** How many users reacted with this emoji. */
  count: number;
  /** Whether the user who reads this is one of them. */
  mine: boolean;
  /** The ids of the first twenty users, in the order of their reactions. */
  users: number[];
}

/** A user reacted to a message. */
export interface ReactionAdded {
  /** The log of the event: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without gaps. */
  seq: number;
  type: "reaction.added";
  /** The time of the event. Only `seq` orders events. */
  at: string;
  /** The room's id. */
  room: number;
  /** The message's seq. */
  message: number;
  /** The actor's id. */
  by: number;
  /** The actor's name. */
  name: string;
  /** In its fully qualified form, so that one emoji always has the same text. */
  emoji: string;
}

/** A user removed their reaction. */
export interface ReactionRemoved {
  /** The log of the event: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without gaps. */
  seq: number;
  type: "reaction.removed";
  /** The time of the event. Only `seq` orders events. */
  at: string;
  /** The room's id. */
  room: number;
  /** The message's seq. */
  message: number;
  /** The actor's id. */
  by: number;
  /** The actor's name. */
  name: string;
  /** In its fully qualified form, so that one emoji always has the same text. */
  emoji: string;
}

/** A page of a message's reactions, in the order they were added. */
export interface ReactionsPage {
  reactions: Reacted[];
  /** Whether there are further reactions. */
  more: boolean;
  /** The head of the room's topic at the time of reading. */
  heads: Record<string, number>;
}

/** The user's read position moved, on any device and in either direction. It holds the new state. */
export interface ReadMoved {
  /** The log of the event: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without gaps. */
  seq: number;
  type: "room.read_moved";
  /** The time of the event. Only `seq` orders events. */
  at: string;
  /** The room's id. */
  room: number;
  /** The seq in the room's log up to which the user has read. */
  read_seq: number;
  /** The number of messages of other users after it, without deleted ones. */
  unread_count: number;
  /** The number of those messages that mention the user, counted up to 100. */
  mention_count?: number;
}

/** Mark a room as read up to a seq. The read position only moves forward. */
export interface ReadRoom {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "room.read";
  room: number;
  /** The seq in the room's log up to which the user has read; not above its head. */
  seq: number;
}

/** The body of `read_room`. */
export interface ReadRoomBody {
  /** The seq in the room's log up to which the user has read; not above its head. */
  seq: number;
}

/** Mark several rooms as read. Rooms the user is not a member of are skipped. */
export interface ReadRooms {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "rooms.read";
  /** At most 500. */
  rooms: RoomRead[];
}

/** The body of `read_rooms`. */
export interface ReadRoomsBody {
  /** At most 500. */
  rooms: RoomRead[];
}

/** An error as sent to clients: a code for programs, a message for people. */
export interface Refusal {
  code: "bad_request" | "unauthenticated" | "forbidden" | "not_found" | "conflict" | "too_large" | "rate_limited" | "busy" | "unavailable" | "internal";
  /** For people; it may change at any time. */
  message: string;
  /** Seconds to wait before a retry. */
  retry_after?: number;
}

/** Remove another user from a room, but not from the lobby. Owners and admins can remove any member; moderators can remove plain members. The user may rejoin a public room. */
export interface RemoveMember {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  room: number;
  /** The other user's id. */
  user: number;
  type: "member.remove";
}

/** Remove your reaction from a message. Idempotent. */
export interface RemoveReaction {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  room: number;
  /** The message's seq. */
  message: number;
  type: "reaction.remove";
  /** The emoji to remove. */
  emoji: string;
}

/** Where to go back to. */
export interface Replay {
  /** The room; null for all rooms of the webhook. */
  room?: number | null;
  /** The events after this seq are sent again, those before the webhook's creation excepted. */
  seq?: number;
}

/** The body of `replay_follower`. */
export interface ReplayFollowerBody {
  /** Null means all topics. */
  topic?: string | null;
  /** The position to go back to. 0 is the beginning. In one topic, a later position leaves entries out; in all topics, positions only go back. */
  seq?: number;
}

/** The events after the client's position are not available: reload the topic. */
export interface Reset {
  type: "reset";
  topic: string;
  /** The topic's newest seq. Left out if the user may no longer follow the topic: drop its state. */
  head?: number;
  /** The last seq that is no longer available; present together with `head`. */
  floor?: number;
}

/** Restore an archived room. Requires the room's owner or an admin. Idempotent. */
export interface RestoreRoom {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "room.restore";
  room: number;
}

/** An earlier text of an edited message. */
export interface Revision {
  /** Counted from 1, the original text. */
  version: number;
  /** When this text was sent. */
  at: string;
  body: string;
}

/** A user's role on the site. */
export type Role = "owner" | "admin" | "member" | "guest";

/** A room as one user sees it. Only members get the fields from `head` on. */
export interface Room {
  id: number;
  kind: "public" | "private" | "direct";
  /** Empty for a direct room. */
  name: string;
  /** The room's topic, a single line. */
  topic?: string;
  /** What the room is for; several lines are allowed. */
  description?: string;
  /** What new members may read: `all` messages, or only those sent since they `joined`. */
  history?: "all" | "joined";
  /** Whether the room is archived and read-only. */
  archived?: boolean;
  /** The members of a direct room by id, the user included; other rooms have `member_count` only. */
  members?: Person[];
  /** True for the room that every user is in. */
  lobby: boolean;
  /** The creator's id; the lobby has none. */
  created_by?: number;
  created_at: string;
  /** The number of members. */
  member_count: number;
  /** Whether the user is a member. */
  joined: boolean;
  /** The newest seq of the room's log. */
  head?: number;
  /** The last seq of the room's log that is no longer available, or not to this user; 0 if there is none. */
  floor?: number;
  /** The seq up to which the user has read. */
  read_seq?: number;
  /** The number of messages of other users after `read_seq`, without deleted ones. */
  unread_count?: number;
  /** The number of those messages that mention the user, `@room` included; counted up to 100. */
  mention_count?: number;
  /** The user's role in the room. */
  role?: RoomRole;
  /** Whether the room is listed first in the user's list. */
  favourite?: boolean;
  /** Whether only mentions in the room notify the user. */
  muted?: boolean;
}

/** The user became a member of the room. The user's connections follow the room from now on. */
export interface RoomAdded {
  /** The log of the event: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without gaps. */
  seq: number;
  type: "room.added";
  /** The time of the event. Only `seq` orders events. */
  at: string;
  /** The room's id. */
  room: number;
  /** The room as the user sees it, with all fields. */
  details: Room;
}

/** The room was archived and is read-only. */
export interface RoomArchived {
  /** The log of the event: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without gaps. */
  seq: number;
  type: "room.archived";
  /** The time of the event. Only `seq` orders events. */
  at: string;
  /** The room's id. */
  room: number;
  /** The actor's id. */
  by: number;
  /** The actor's name. */
  name: string;
}

/** The changed fields of a room. Fields that are left out did not change. */
export interface RoomChanges {
  name?: string;
  /** Empty if it was removed. */
  topic?: string;
  /** Empty if it was removed. */
  description?: string;
  /** What new members may read: `all` messages, or only those sent since they `joined`. */
  history?: "all" | "joined";
}

/** The room was created. This is the first event in its log. For a public room, it is in the site's log, too. */
export interface RoomCreated {
  /** The log of the event: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without gaps. */
  seq: number;
  type: "room.created";
  /** The time of the event. Only `seq` orders events. */
  at: string;
  /** The room's id. */
  room: number;
  /** The actor's id. */
  by: number;
  /** The actor's name. */
  name: string;
  /** The room as a non-member sees it. */
  details: Room;
}

/** A room with its first members, read at one point in time. */
export interface RoomDetail {
  room: Room;
  /** The first 100 members; empty if the caller is not a member. */
  members: Member[];
  /** Whether there are further members: `GET /api/rooms/{room}/members` lists them. */
  more_members: boolean;
  /** The head of the room's topic at the time of reading; empty if the caller is not a member. */
  heads: Record<string, number>;
}

/** The room as the user sees it now, and the position of the change in its log. */
export interface RoomPosition {
  topic: string;
  /** The seq of the event of this change. */
  seq: number;
  room: Room;
}

/** The user's own preferences for a room changed. */
export interface RoomPreferencesChanged {
  /** The log of the event: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without gaps. */
  seq: number;
  type: "room.preferences_changed";
  /** The time of the event. Only `seq` orders events. */
  at: string;
  /** The room's id. */
  room: number;
  /** Whether the room is listed first in the user's list. */
  favourite: boolean;
  /** Whether only mentions in the room notify the user. */
  muted: boolean;
}

/** A read position in one of several rooms. */
export interface RoomRead {
  room: number;
  /** The seq in the room's log up to which the user has read; not above its head. */
  seq: number;
}

/** The user is no longer a member of the room. The user's connections no longer follow it. */
export interface RoomRemoved {
  /** The log of the event: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without gaps. */
  seq: number;
  type: "room.removed";
  /** The time of the event. Only `seq` orders events. */
  at: string;
  /** The room's id. */
  room: number;
  /** Left out if the membership ended with the user's account. */
  why?: "left" | "removed" | "banned";
  /** The reason of a ban, as the moderator gave it. */
  reason?: string;
}

/** The archived room was restored. */
export interface RoomRestored {
  /** The log of the event: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without gaps. */
  seq: number;
  type: "room.restored";
  /** The time of the event. Only `seq` orders events. */
  at: string;
  /** The room's id. */
  room: number;
  /** The actor's id. */
  by: number;
  /** The actor's name. */
  name: string;
}

/** A member's role in a room. */
export type RoomRole = "owner" | "moderator" | "member";

/** The room changed. If `history` is among the changes, reload the room's messages. */
export interface RoomUpdated {
  /** The log of the event: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without gaps. */
  seq: number;
  type: "room.updated";
  /** The time of the event. Only `seq` orders events. */
  at: string;
  /** The room's id. */
  room: number;
  /** The actor's id. */
  by: number;
  /** The actor's name. */
  name: string;
  changes: RoomChanges;
}

/** A page of the directory. */
export interface RoomsPage {
  rooms: Room[];
  /** Whether there are further rooms. */
  more: boolean;
}

/** A filter of a query. */
export interface SearchFilter {
  name: "from" | "in" | "before" | "after" | "has" | "is" | "mentions";
  value: string;
  /** False if the filter names a user or a room that the caller cannot find. It then matches no message. */
  known: boolean;
}

/** A query as the server has read it. */
export interface SearchQuery {
  /** The words and phrases, as written. */
  words: string[];
  filters: SearchFilter[];
}

/** A page of messages that a search has found, newest first. */
export interface SearchResults {
  results: FoundMessage[];
  /** Whether there may be further results. A page can have fewer results than the limit, even none, and still not be the last one. */
  more: boolean;
  /** The `before` of the next page, if there is more. */
  next?: string;
  query: SearchQuery;
  /** Present while the index is being built, newest messages first: older messages may be missing. */
  indexing?: Indexing;
}

/** Send a message to a room. The answer follows after the message is on disk. A retry with the same key and text gets the first answer again, whatever has happened since. */
export interface SendMessage {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "message.send";
  room: number;
  /** 1 to 64 printable ASCII characters, unique among the author's messages in the room, for ever. */
  key: string;
  /** At most 8,000 characters and 16 KiB of UTF-8, and not blank. */
  body: string;
  /** The seq of the message in the same room that this message replies to. */
  reply_to?: number | null;
}

/** The body of `send_message`. */
export interface SendMessageBody {
  /** 1 to 64 printable ASCII characters, unique among the author's messages in the room, for ever. */
  key: string;
  /** At most 8,000 characters and 16 KiB of UTF-8, and not blank. */
  body: string;
  /** The seq of the message in the same room that this message replies to. */
  reply_to?: number | null;
}

/** A frame from the server: `welcome` first, then events and answers. */
export type ServerFrame = Welcome | More | Reset | ChatEvent | Pong | UserTyping | PresenceChanged | Ok | CommandRefused;

/** The limits of this server. */
export interface ServerLimits {
  /** Bytes of UTF-8 in a message's body. */
  body: number;
  /** Characters in a message's body. */
  characters: number;
  /** Bytes in a WebSocket message. */
  frame: number;
  /** Events or messages in a page. */
  page: number;
  /** Characters in a room's name. */
  name: number;
  /** Characters in a key. */
  key: number;
}

/** A log-in of a user on one device. */
export interface Session {
  id: string;
  /** `browser` sessions use a cookie, `token` sessions use bearer tokens. */
  kind: "browser" | "token";
  /** The name of the client, such as "Firefox on Linux"; empty if it is unknown. */
  client: string;
  created_at: string;
  last_seen_at: string;
  /** When the session ends if it is not used again. */
  expires_at: string;
  /** Whether this is the session of the request. */
  current: boolean;
}

/** One of the user's sessions ended. Its connections close with 4503. */
export interface SessionClosed {
  /** The log of the event: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without gaps. */
  seq: number;
  type: "session.closed";
  /** The time of the event. Only `seq` orders events. */
  at: string;
  /** The session's id. */
  session: string;
}

/** The user logged in on a device. */
export interface SessionOpened {
  /** The log of the event: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without gaps. */
  seq: number;
  type: "session.opened";
  /** The time of the event. Only `seq` orders events. */
  at: string;
  /** The session's id. */
  session: string;
  details: Session;
}

/** The caller's sessions, the most recently used first. */
export interface Sessions {
  sessions: Session[];
}

/** Tell the server whether the user is idle on this device. */
export interface SetIdle {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "presence.idle";
  /** True when the user has not touched the device for a while, false at the next touch. */
  idle: boolean;
}

/** Change a member's role in a room. Requires the room's owner or an admin. Idempotent. A room has one owner: when another member becomes the owner, the former owner becomes a moderator. The owner of an archived room can be changed, too. */
export interface SetMemberRole {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  room: number;
  /** The other user's id. */
  user: number;
  type: "member.set_role";
  role: RoomRole;
}

/** The body of `set_member_role`. */
export interface SetMemberRoleBody {
  role: RoomRole;
}

/** Set your own preferences for a room, on all your devices. Fields that are left out stay as they are. */
export interface SetRoomPreferences {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "room.set_preferences";
  room: number;
  /** Whether the room is listed first in the user's list. */
  favourite?: boolean | null;
  /** Whether only mentions in the room notify the user. */
  muted?: boolean | null;
}

/** The body of `set_room_preferences`. */
export interface SetRoomPreferencesBody {
  /** Whether the room is listed first in the user's list. */
  favourite?: boolean | null;
  /** Whether only mentions in the room notify the user. */
  muted?: boolean | null;
}

/** The body of `set_setting`. */
export interface SetSettingBody {
  /** The new value, in the type of the setting. */
  value: boolean | number | string;
}

/** Set your status. It replaces the previous status completely. */
export interface SetStatus {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "status.set";
  /** `dnd` is "do not disturb"; other users see `invisible` as offline. */
  status?: "online" | "away" | "dnd" | "invisible";
  /** One line of text; empty for none. */
  text?: string;
  /** Exactly one Unicode emoji. */
  emoji?: string | null;
  /** When the status returns to plain `online`; RFC 3339, within a year. */
  until?: string | null;
}

/** The body of `set_status`. */
export interface SetStatusBody {
  /** `dnd` is "do not disturb"; other users see `invisible` as offline. */
  status?: "online" | "away" | "dnd" | "invisible";
  /** One line of text; empty for none. */
  text?: string;
  /** Exactly one Unicode emoji. */
  emoji?: string | null;
  /** When the status returns to plain `online`; RFC 3339, within a year. */
  until?: string | null;
}

/** A setting of the site, as staff sees it. */
export interface Setting {
  /** Its name, as in the settings file. */
  setting: string;
  /** A short name for people. */
  label: string;
  /** The heading under which it belongs. */
  group: string;
  /** What it does. */
  description: string;
  /** Which values are allowed, in words. */
  allowed: string;
  /** `unknown`: this version does not have the setting. It can only be unset. */
  kind: "text" | "choice" | "switch" | "number" | "unknown";
  /** The unit of a number, such as `days`; else empty. */
  unit: string;
  /** The values of a choice; else empty. */
  choices: string[];
  /** The lowest number, or the least number of characters of a text. */
  minimum: number | null;
  /** The highest number, or the greatest number of characters of a text. */
  maximum: number | null;
  default: boolean | number | string | null;
  /** The value in effect; null if the setting is unknown. */
  value: boolean | number | string | null;
  /** Where the value comes from. */
  source: "default" | "database" | "environment" | "file" | "flag" | "argument";
  /** Whether the value can't be changed while the site runs. */
  fixed: boolean;
  /** What fixes the value, such as `the variable HUBBUB_NAME`. */
  fixed_by: string | null;
  /** Whether the database has a value. */
  stored: boolean;
  /** Why the value in the database is ignored. */
  problem: string | null;
}

/** All settings of the site. */
export interface Settings {
  settings: Setting[];
}

/** What the site tells all visitors, logged in or not. */
export interface Site {
  /** Whether the owner's setup link is still unused. */
  needs_owner: boolean;
  /** Who may sign up. */
  signup: "invite" | "open" | "closed";
  /** `host`: the host application authenticates the users, and there is no log-in here. */
  accounts: "own" | "host";
  name: string;
  version: string;
}

/** The changed fields of the site. Fields that are left out did not change. */
export interface SiteChanges {
  name?: string;
  /** Who may sign up. */
  signup?: "invite" | "open" | "closed";
}

/** The settings of the site changed that every client shows. */
export interface SiteUpdated {
  /** The log of the event: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without gaps. */
  seq: number;
  type: "site.updated";
  /** The time of the event. Only `seq` orders events. */
  at: string;
  changes: SiteChanges;
}

/** The status a user has set. */
export interface Status {
  /** Other users see `invisible` as `offline`. */
  status: "online" | "away" | "dnd" | "invisible";
  /** The status text. */
  text?: string;
  /** The status emoji. */
  emoji?: string;
  /** When the status returns to plain `online`. */
  until?: string;
}

/** The user's status changed. */
export interface StatusChanged {
  /** The log of the event: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without gaps. */
  seq: number;
  type: "status.changed";
  /** The time of the event. Only `seq` orders events. */
  at: string;
  status: Status;
}

/** The token of an invite link. */
export interface Token {
  token: string;
}

/** An error body with the sentence in `detail` as well, for OAuth2 clients. */
export interface TokenErrorBody {
  error: Refusal;
  detail: string;
}

/** An access token, and the refresh token that gets the next pair. */
export interface TokenPair {
  access_token: string;
  token_type: "bearer";
  /** Seconds. */
  expires_in: number;
  /** Works once. */
  refresh_token: string;
}

/** Tell the members of a room that you are typing. Clients repeat it every three seconds while the user types, not more often. */
export interface Typing {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "typing";
  room: number;
}

/** Lift a ban, so that the user may join again. Idempotent. */
export interface UnbanMember {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  room: number;
  /** The other user's id. */
  user: number;
  type: "member.unban";
}

/** Unpin a message. Idempotent. */
export interface UnpinMessage {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  room: number;
  /** The message's seq. */
  message: number;
  type: "message.unpin";
}

/** Mark a message and all later ones as unread. */
export interface UnreadRoom {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "room.unread";
  room: number;
  /** The seq of the first unread message. */
  message: number;
}

/** The body of `unread_room`. */
export interface UnreadRoomBody {
  /** The seq of the first unread message. */
  message: number;
}

/** Change a room. Requires a moderator of the room. Fields that are left out stay as they are. A direct room has no name and no history setting. */
export interface UpdateRoom {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "room.update";
  room: number;
  name?: string | null;
  topic?: string | null;
  /** What the room is for; empty removes the description. */
  description?: string | null;
  /** What new members may read: `all` messages, or only those sent since they `joined`. */
  history?: "all" | "joined" | null;
}

/** The body of `update_room`. */
export interface UpdateRoomBody {
  name?: string | null;
  topic?: string | null;
  /** What the room is for; empty removes the description. */
  description?: string | null;
  /** What new members may read: `all` messages, or only those sent since they `joined`. */
  history?: "all" | "joined" | null;
}

/** A user, as all users may see them. */
export interface User {
  id: number;
  /** Unique, also among names that look alike. */
  name: string;
  role: Role;
  created_at: string;
}

/** A user is typing in a room. It expires after five seconds, or when they send a message. */
export interface UserTyping {
  type: "typing";
  room: number;
  /** The id of the user who is typing. */
  by: number;
  /** Their name. */
  name: string;
}

/** A page of users. */
export interface UsersPage {
  /** Ordered by id, or the best match first; without guests and closed accounts. */
  users: Person[];
  /** Whether there are further users. */
  more: boolean;
}

/** Replace the list of users whose presence this connection receives. */
export interface WatchPresence {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "presence.watch";
  /** The ids of the users, at most 200. */
  users: number[];
}

/** A URL that gets the events of one room, or of all public rooms. */
export interface Webhook {
  id: number;
  /** The id of its room; null for a webhook of the site, which gets the events of all public rooms. */
  room: number | null;
  name: string;
  url: string;
  /** The types of events that it gets. */
  events: ("message.sent" | "message.edited" | "message.deleted" | "message.pinned" | "message.unpinned" | "reaction.added" | "reaction.removed" | "member.joined" | "member.left" | "member.removed" | "member.banned" | "member.unbanned" | "member.role_changed" | "room.created" | "room.updated" | "room.archived" | "room.restored")[];
  /** `paused` webhooks keep their place in the log and get what they missed when they are resumed. */
  state: "starting" | "running" | "paused";
  /** Why the server has paused the webhook; null if a user has, or if it is not paused. */
  paused_reason: string | null;
  /** The id of the user who created it. */
  created_by: number;
  created_at: string;
  /** When the secret was replaced. The secret before signs for another day. */
  rotated_at: string | null;
  /** The number of entries of the log that the webhook has not handled yet, of all types. */
  waiting_count: number;
  /** The time of the oldest of these entries. */
  oldest_at: string | null;
  /** When the first of the present failures happened; null if the last attempt succeeded. */
  failing_since: string | null;
  next_attempt_at: string | null;
  /** The number of events that the server has given up. */
  dead_letter_count: number;
  /** The last attempt; null before the first one. */
  last_delivery: Delivery | null;
  /** What the receiver verifies signatures with. Only the answers to the creation and to a new secret have it. */
  secret?: string;
}

/** What to change. Fields that are left out stay. */
export interface WebhookChanges {
  name?: string | null;
  url?: string | null;
  events?: ("message.sent" | "message.edited" | "message.deleted" | "message.pinned" | "message.unpinned" | "reaction.added" | "reaction.removed" | "member.joined" | "member.left" | "member.removed" | "member.banned" | "member.unbanned" | "member.role_changed" | "room.created" | "room.updated" | "room.archived" | "room.restored")[] | null;
  /** True pauses the webhook. False resumes it, or tries a failing one again at once. */
  paused?: boolean | null;
}

/** A page of events that the server has given up, in the order of topics and seqs. */
export interface WebhookDeadLetters {
  dead_letters: DeadLetter[];
  /** Whether there are further dead letters. */
  more: boolean;
}

/** The webhooks of a room or of the site, the oldest first. */
export interface Webhooks {
  webhooks: Webhook[];
}

/** The first frame from the server: the user, their rooms and followed topics. */
export interface Welcome {
  type: "welcome";
  /** The history that the seqs belong to. It changes when the database goes back in time. */
  epoch: string;
  user: User;
  /** The rooms the user is a member of, the lobby first. */
  rooms: Room[];
  /** The newest seq of every topic the connection follows, read together with the rest. */
  heads: Record<string, number>;
  limits: ServerLimits;
  /** The id of the connection's session. */
  session: string;
  /** The status the user has set. */
  status: Status;
}
