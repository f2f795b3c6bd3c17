/** The types of the contract. Written by `make contract` from the server's models. Do not edit. */

/** Reacts to a message. The same emoji twice is once. */
export interface AddReaction {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  room: number;
  /** The message's seq. */
  message: number;
  type: "reaction.add";
  /** Any one emoji of Unicode. */
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
  "room.settings": MaybePosition;
  "room.join": RoomPosition;
  "room.leave": Position;
  "room.invite": MaybePosition;
  "room.remove": Position;
  "room.ban": MaybePosition;
  "room.unban": MaybePosition;
  "room.role": MaybePosition;
  "room.read": MaybePosition;
  "room.unread": MaybePosition;
  "rooms.read": MaybePosition;
  "presence.set": MaybePosition;
  typing: EmptyAnswer;
  "presence.idle": EmptyAnswer;
  "presence.watch": Appearances;
  "events.since": EventPage | NoWay;
  ping: EmptyAnswer;
}

/** How several people appear. */
export interface Appearances {
  /** In the order they were asked for. */
  people: Presence[];
}

/** Nothing more is said in the room; what was said stays to be read, or is deleted. Twice is fine. */
export interface ArchiveRoom {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "room.archive";
  room: number;
}

/** Somebody who may not come into a room. */
export interface Ban {
  /** The person's id. */
  user: number;
  name: string;
  /** Who banned the person. */
  by: number;
  at: string;
  reason?: string;
}

/** Removes somebody else, who may not come back. Twice is fine. */
export interface BanMember {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  room: number;
  /** Whom. */
  user: number;
  type: "room.ban";
  /** For the person and for those who moderate the room. */
  reason?: string;
}

/** A page of those who are banned from a room, by id. */
export interface BansPage {
  bans: Ban[];
  /** Whether there are bans after the last of these. */
  more: boolean;
}

/** Whether there are more messages on either side of a page. */
export interface Beyond {
  before: boolean;
  after: boolean;
}

/** What a room is to oneself, on all one's devices; what is left out stays. */
export interface ChangeSettings {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "room.settings";
  room: number;
  /** Whether it stands first in one's list. */
  favourite?: boolean | null;
  /** Whether what is said in it calls for one's attention only where one is mentioned. */
  muted?: boolean | null;
}

/** What is left out stays. A direct room has neither name nor history to change. */
export interface Changes {
  name?: string | null;
  /** Empty for none. */
  topic?: string | null;
  /** Empty for none. */
  description?: string | null;
  history?: "all" | "joined" | null;
}

export type ChatEvent = MessageSent | MessageEdited | MessageDeleted | MessagePinned | MessageUnpinned | ReactionAdded | ReactionRemoved | MemberJoined | MemberLeft | MemberRemoved | MemberBanned | MemberUnbanned | MemberRole | RoomCreated | RoomUpdated | RoomArchived | RoomRestored | RoomAdded | RoomRemoved | SettingsChanged | ReadMoved | StatusChanged | SessionOpened | SessionClosed;

/** What an invite opens now. */
export interface Checked {
  /** Whether it opens anything. */
  valid: boolean;
  /** Whether one can make an account with it; else it is for those who have one. */
  signup: boolean;
  /** The id of the room it leads into; null for the site alone. */
  room: number | null;
  /** That room's name. */
  name: string | null;
}

/** A frame from the client: `hello` first, then commands, queries and pings. */
export type ClientFrame = Hello | SendMessage | ForwardMessage | EditMessage | DeleteMessage | PinMessage | UnpinMessage | AddReaction | RemoveReaction | CreateRoom | UpdateRoom | ArchiveRoom | RestoreRoom | ChangeSettings | JoinRoom | LeaveRoom | InviteMember | RemoveMember | BanMember | UnbanMember | SetRoomRole | ReadRoom | UnreadRoom | ReadRooms | SetPresence | EventsSince | Typing | SetIdle | WatchPresence | Ping;

/** The answer to what is refused; the connection goes on. */
export interface CommandRefused {
  /** The `id` of what is answered; null for a frame that was no command. */
  re: number | null;
  error: Refusal;
}

/** Makes a room with oneself in it. Between the same people there is one direct room: it is the answer again. */
export interface CreateRoom {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  kind?: "public" | "private" | "direct";
  /** 1 to 64 printable characters, unique among public rooms, also among names that look alike. A direct room has none, every other one must have one. */
  name?: string | null;
  topic?: string;
  /** What it is for, in more words. */
  description?: string;
  /** What newcomers may read: `all`, or what was said since they `joined`. */
  history?: "all" | "joined";
  /** The ids of others who are in it from the start; in a direct room, those it is with (at most nine). */
  members?: number[];
  /** With one, a retry gets the same room. */
  key?: string | null;
  type: "room.create";
}

/** Takes a message back: one's own, or, for those who moderate the room, anybody's. Twice is fine. */
export interface DeleteMessage {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  room: number;
  /** The message's seq. */
  message: number;
  type: "message.delete";
}

/** Says otherwise what one has said. The same words again change nothing. */
export interface EditMessage {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  room: number;
  /** The message's seq. */
  message: number;
  type: "message.edit";
  body: string;
}

/** What a message said before, oldest first. */
export interface EditsPage {
  edits: Revision[];
  /** Whether there are versions after the last of these. */
  more: boolean;
  /** The head of the room's topic the page was read at. */
  heads: Record<string, number>;
}

/** An empty object. */
export type EmptyAnswer = Record<string, never>;

/** What every refusal looks like. */
export interface ErrorBody {
  error: Refusal;
}

/** What happened after the asked position: in order, without a hole. */
export interface EventPage {
  epoch: string;
  events: ChatEvent[];
  /** The topic's newest seq; if the last event is below it, there is more. */
  head: number;
}

/** What happened in `topic` after position (`epoch`, `after`); no epoch means the present one. */
export interface EventsSince {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "events.since";
  topic: string;
  /** The seq up to which one has everything. */
  after: number;
  /** The epoch in which one got it. */
  epoch?: string | null;
  /** How many events at most; a page also ends before it grows over 256 KiB. */
  limit?: number;
}

/** Says in `room` what somebody said in another room that one is in; the copy is one's own message. */
export interface ForwardMessage {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "message.forward";
  /** Where to. */
  room: number;
  /** As in `message.send`, and unique together with those. */
  key: string;
  /** Where it was said. */
  from_room: number;
  /** Its seq there. */
  message: number;
}

/** Who said it first. */
export interface Forwarded {
  /** The author's id. */
  by: number;
  /** The author's name: in events as it was then, in pages as it is now. */
  name: string;
  at: string;
  /** Where it was said, if that room is public or the same. */
  room?: number;
  /** Its seq there. */
  message?: number;
}

/** The tutorial's welcome. */
export interface Greeting {
  message: string;
}

/** Whom to bring in. */
export interface Guest {
  user: number;
}

/** A sign of life. */
export interface Health {
  status: "ok";
}

/** The first frame: who it is, and what it has. */
export interface Hello {
  type: "hello";
  /** An access token; a cookie or a bearer token of the handshake may take its place. */
  token?: string | null;
  /** The epoch of the seqs in `have`. */
  epoch?: string | null;
  /** By topic, the seq up to which one has everything; a topic that is not named starts at its head. */
  have?: Record<string, number>;
}

/** A way in for others. */
export interface Invite {
  id: string;
  /** How often it was used. */
  uses: number;
  /** How often it can be used; null for any number. */
  max_uses: number | null;
  created_by: number;
  created_at: string;
  /** Null for never. */
  expires_at: string | null;
  /** The id of the room it leads into, if it is for one. */
  room?: number;
  /** Whether it opens an account; else it is for those who have one. */
  signup?: boolean;
  /** In the answer that makes the invite and nowhere else: the store keeps a hash. */
  token?: string;
  /** The address to give away; where `token` is. */
  link?: string;
}

/** Makes somebody a member at once. Somebody who is one already is fine. */
export interface InviteMember {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  room: number;
  /** Whom. */
  user: number;
  type: "room.invite";
}

/** A page of the invites that can still be used, the newest first. */
export interface Invites {
  invites: Invite[];
  /** Whether there are more after the last of these. */
  more: boolean;
}

/** Becomes a member, and the owner of a room that nobody looks after any more. Twice is fine. */
export interface JoinRoom {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "room.join";
  room: number;
}

/** Is a member no longer. Nobody leaves the lobby. */
export interface LeaveRoom {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "room.leave";
  room: number;
}

/** A name and its password. */
export interface Login {
  username: string;
  password: string;
}

/** Where the change stands; empty where nothing moved. */
export interface MaybePosition {
  topic?: string;
  /** The position of the event that tells of it. */
  seq?: number;
}

/** One's own profile, with the tutorial's two fields. */
export interface Me {
  id: number;
  /** Unique, also among names that look alike. */
  name: string;
  role: Role;
  created_at: string;
  username: string;
  message: string;
}

/** Somebody in a room. */
export interface Member {
  /** The person's id. */
  id: number;
  name: string;
  /** What the person is in this room. */
  role: RoomRole;
  joined_at: string;
}

/** Somebody may not come into the room any more, and is no member from here on if he was one. */
export interface MemberBanned {
  /** Whose log: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without a gap. */
  seq: number;
  type: "member.banned";
  /** When; it orders nothing. */
  at: string;
  /** The room's id. */
  room: number;
  /** Whose membership. */
  user: number;
  /** That person's name at that time. */
  name: string;
  /** Who did it. */
  by: number;
  /** Whether this ends a membership. */
  was_member: boolean;
}

/** Somebody is a member from here on. */
export interface MemberJoined {
  /** Whose log: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without a gap. */
  seq: number;
  type: "member.joined";
  /** When; it orders nothing. */
  at: string;
  /** The room's id. */
  room: number;
  /** Whose membership. */
  user: number;
  /** That person's name at that time. */
  name: string;
  /** Who did it. */
  by: number;
}

/** Somebody has left. */
export interface MemberLeft {
  /** Whose log: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without a gap. */
  seq: number;
  type: "member.left";
  /** When; it orders nothing. */
  at: string;
  /** The room's id. */
  room: number;
  /** Whose membership. */
  user: number;
  /** That person's name at that time. */
  name: string;
  /** Who did it. */
  by: number;
}

/** Somebody was removed by somebody else. */
export interface MemberRemoved {
  /** Whose log: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without a gap. */
  seq: number;
  type: "member.removed";
  /** When; it orders nothing. */
  at: string;
  /** The room's id. */
  room: number;
  /** Whose membership. */
  user: number;
  /** That person's name at that time. */
  name: string;
  /** Who did it. */
  by: number;
}

/** Somebody is something else in the room from here on. Ownership moves with two of these. */
export interface MemberRole {
  /** Whose log: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without a gap. */
  seq: number;
  type: "member.role";
  /** When; it orders nothing. */
  at: string;
  /** The room's id. */
  room: number;
  /** Whose membership. */
  user: number;
  /** That person's name at that time. */
  name: string;
  /** Who did it. */
  by: number;
  role: RoomRole;
}

/** Somebody may come into the room again. */
export interface MemberUnbanned {
  /** Whose log: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without a gap. */
  seq: number;
  type: "member.unbanned";
  /** When; it orders nothing. */
  at: string;
  /** The room's id. */
  room: number;
  /** Whose membership. */
  user: number;
  /** That person's name at that time. */
  name: string;
  /** Who did it. */
  by: number;
}

/** A page of a room's members, by id. */
export interface MembersPage {
  members: Member[];
  /** Whether there are members after the last of these. */
  more: boolean;
  /** The head of the room's topic the page was read at. */
  heads: Record<string, number>;
}

/** Whom a message calls. */
export interface Mentions {
  /** The ids of members who were named, and for `here` of those who were connected. */
  users?: number[];
  /** Whether it calls everybody in the room. */
  room?: boolean;
  /** Whether it calls everybody who was there at that moment. */
  here?: boolean;
}

/** Something that was said, as pages of history give it. */
export interface Message {
  room: number;
  /** The position in the room's log; (room, seq) is what a message is known by. */
  seq: number;
  /** The number of the message in its room, counted from 1 without a gap. */
  n: number;
  at: string;
  /** The author's id. */
  by: number;
  /** The author's name as it is now; that of somebody who is gone is a neutral one. */
  name: string;
  /** What the author gave to make a retry harmless. */
  key: string;
  /** Null once it is deleted. */
  body: string | null;
  /** Whether it was taken back: its place stays. */
  deleted?: boolean;
  /** When it was last edited. */
  edited_at?: string;
  /** The seq of the message it answers. */
  reply_to?: number;
  forwarded?: Forwarded;
  mentions?: Mentions;
  /** Whether it is kept in view for everybody. */
  pinned?: boolean;
  /** In the order they were first used. */
  reactions?: Reaction[];
}

/** The message is taken back; what hung on it is gone with it. */
export interface MessageDeleted {
  /** Whose log: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without a gap. */
  seq: number;
  type: "message.deleted";
  /** When; it orders nothing. */
  at: string;
  /** The room's id. */
  room: number;
  /** The message's seq. */
  message: number;
  /** Who did it. */
  by: number;
  /** Who had said it. */
  author: number;
  /** Whom it called. */
  mentioned?: Mentions;
}

/** The author says it otherwise. */
export interface MessageEdited {
  /** Whose log: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without a gap. */
  seq: number;
  type: "message.edited";
  /** When; it orders nothing. */
  at: string;
  /** The room's id. */
  room: number;
  /** The message's seq. */
  message: number;
  /** Who did it. */
  by: number;
  /** Null where a later event has taken the text away. Left out in rooms that newcomers do not read back in: ask for the message. */
  body?: string | null;
  /** Whom it calls now. */
  mentions?: Mentions;
  /** Whom it called before. */
  mentioned?: Mentions;
}

/** Kept in view from here on. */
export interface MessagePinned {
  /** Whose log: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without a gap. */
  seq: number;
  type: "message.pinned";
  /** When; it orders nothing. */
  at: string;
  /** The room's id. */
  room: number;
  /** The message's seq. */
  message: number;
  /** Who did it. */
  by: number;
  /** The name of who did it. */
  name: string;
}

/** Somebody said something. */
export interface MessageSent {
  /** Whose log: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without a gap. */
  seq: number;
  type: "message.sent";
  /** When; it orders nothing. */
  at: string;
  /** The room's id. */
  room: number;
  /** The author's id. */
  by: number;
  /** The author's name at that time. */
  name: string;
  /** The number of the message in its room, counted from 1 without a gap. */
  n: number;
  /** What the author gave to make a retry harmless: whoever has it in his outbox knows his own message by it. */
  key: string;
  /** Null where a later event has taken the text away. */
  body: string | null;
  /** The seq of the message it answers. */
  reply_to?: number;
  forwarded?: Forwarded;
  /** Whom it calls; left out where it calls nobody. */
  mentions?: Mentions;
}

/** No longer kept in view. */
export interface MessageUnpinned {
  /** Whose log: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without a gap. */
  seq: number;
  type: "message.unpinned";
  /** When; it orders nothing. */
  at: string;
  /** The room's id. */
  room: number;
  /** The message's seq. */
  message: number;
  /** Who did it. */
  by: number;
  /** The name of who did it. */
  name: string;
}

/** A page of history. */
export interface Messages {
  /** By ascending seq. */
  messages: Message[];
  /** Those that messages of the page reply to, as far as one may see them. */
  quotes: Message[];
  more: Beyond;
  /** The head of the room's topic the page was read at. */
  heads: Record<string, number>;
}

/** There is more of this topic than what was sent after `welcome`: ask with `events.since`. */
export interface More {
  type: "more";
  topic: string;
  /** The topic's newest seq. */
  head: number;
}

/** `invite` and `setup` are the tokens out of such links. */
export interface NewAccount {
  /** 1 to 32 letters, digits, dots, dashes and underscores, in one script. */
  username: string;
  /** At least 8 characters, at most 1,024 bytes. */
  password: string;
  invite?: string | null;
  setup?: string | null;
}

/** Whom to keep out, and why: for the person and for those who look after the room. */
export interface NewBan {
  user: number;
  reason?: string;
}

/** Which message is forwarded; `key` as for a new message, and unique together with theirs. */
export interface NewForward {
  key: string;
  /** Where it was said. */
  from_room: number;
  /** Its seq there. */
  message: number;
}

/** With a `key`, a retry gets the same invite. With a `room`, it leads into that room as well. Only what the site's admins make opens accounts. */
export interface NewInvite {
  /** null for any number */
  max_uses?: number | null;
  /** seconds; null for never */
  expires_in?: number | null;
  room?: number | null;
  key?: string | null;
}

/** `key` makes a retry harmless: the same key gives the same message. */
export interface NewMessage {
  key: string;
  body: string;
  /** The seq of the message in the same room that this one answers. */
  reply_to?: number | null;
}

/** The password one has, and the one to have: at least 8 characters, at most 1,024 bytes. */
export interface NewPassword {
  current_password: string;
  new_password: string;
}

/** What somebody is to be in the room. `owner` makes the owner of before a moderator. */
export interface NewRole {
  role: RoomRole;
}

/** What a room is made of. */
export interface NewRoom {
  kind?: "public" | "private" | "direct";
  /** 1 to 64 printable characters, unique among public rooms, also among names that look alike. A direct room has none, every other one must have one. */
  name?: string | null;
  topic?: string;
  /** What it is for, in more words. */
  description?: string;
  /** What newcomers may read: `all`, or what was said since they `joined`. */
  history?: "all" | "joined";
  /** The ids of others who are in it from the start; in a direct room, those it is with (at most nine). */
  members?: number[];
  /** With one, a retry gets the same room. */
  key?: string | null;
}

/** `token` is out of a reset link. */
export interface NewStart {
  token: string;
  password: string;
}

/** How one wants to appear; what is left out is as for somebody who chooses nothing. */
export interface NewStatus {
  status?: "online" | "away" | "dnd" | "invisible";
  text?: string;
  /** Any one emoji of Unicode. */
  emoji?: string | null;
  /** When one is plainly online again; RFC 3339, within a year. */
  until?: string | null;
}

/** What a message says from now on. */
export interface NewWords {
  body: string;
}

/** There is no way from that position to the present: load the state and go on from its heads. */
export interface NoWay {
  epoch: string;
  reset: true;
  /** The topic's newest seq. */
  head: number;
  /** The last seq that cannot be had any more; 0 if there is none. */
  floor: number;
}

/** The answer to a command or a query. */
export interface Ok {
  /** The `id` of what is answered. */
  re: number;
  ok: RoomPosition | Position | MaybePosition | EventPage | NoWay | Appearances | EmptyAnswer;
}

/** One message. */
export interface OneMessage {
  message: Message;
  /** The one it replies to, if one may see it. */
  quotes: Message[];
  /** The head of the room's topic it was read at. */
  heads: Record<string, number>;
}

/** A page of those who are there now, by id. */
export interface Online {
  /** Who has a live connection in the room, on whatever device. */
  users: Person[];
  /** Whether there are people after the last of these. */
  more: boolean;
}

/** One's own, once more. */
export interface Password {
  password: string;
}

/** A page of people. */
export interface PeoplePage {
  /** By id; without guests and closed accounts. */
  people: Person[];
  /** Whether there are people after the last of these. */
  more: boolean;
}

/** Somebody. */
export interface Person {
  id: number;
  name: string;
}

/** A message that is kept in view. */
export interface Pin {
  /** The position of the pinning in the room's log. */
  seq: number;
  message: Message;
  /** Who pinned it. */
  by: number;
  /** That person's name. */
  name: string;
  /** When it was pinned. */
  at: string;
}

/** Keeps a message in view for everybody. Twice is fine. */
export interface PinMessage {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  room: number;
  /** The message's seq. */
  message: number;
  type: "message.pin";
}

/** A sign of life that asks for one. */
export interface Ping {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id?: number;
  type: "ping";
}

/** A page of a room's pinned messages, newest first. */
export interface PinsPage {
  pins: Pin[];
  /** Whether there are older ones. */
  more: boolean;
  /** The head of the room's topic the page was read at. */
  heads: Record<string, number>;
}

/** The answer to `ping`. */
export interface Pong {
  type: "pong";
}

/** Where in which topic the change stands. */
export interface Position {
  topic: string;
  /** The position of the event that tells of it. */
  seq: number;
}

/** How somebody appears to others now. */
export interface Presence {
  /** The person's id. */
  user: number;
  /** `away` is also who has been idle on every device, `offline` also who is invisible. */
  status: "online" | "away" | "dnd" | "offline";
  /** What the person says about it. */
  text?: string;
  /** An emoji that goes with it. */
  emoji?: string;
  /** When `text` and `emoji` end. */
  until?: string;
}

/** People one looks at appear otherwise from here on. */
export interface PresenceChanged {
  type: "presence";
  /** Those who do; the others are as they were. */
  people: Presence[];
}

/** Somebody's reaction. */
export interface Reacted {
  emoji: string;
  /** The person's id. */
  user: number;
  name: string;
  /** The position of the reaction in the room's log. */
  seq: number;
}

/** One emoji at a message. */
export interface Reaction {
  /** Fully qualified, so that the same one is always the same text. */
  emoji: string;
  /** How many people used it. */
  count: number;
  /** Whether one of them is one's own. */
  mine: boolean;
  /** The ids of the first twenty, in the order they reacted. */
  by: number[];
}

/** Somebody reacted to a message. */
export interface ReactionAdded {
  /** Whose log: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without a gap. */
  seq: number;
  type: "reaction.added";
  /** When; it orders nothing. */
  at: string;
  /** The room's id. */
  room: number;
  /** The message's seq. */
  message: number;
  /** Who did it. */
  by: number;
  /** That person's name. */
  name: string;
  /** Fully qualified, so that the same one is always the same text. */
  emoji: string;
}

/** Somebody took his reaction back. */
export interface ReactionRemoved {
  /** Whose log: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without a gap. */
  seq: number;
  type: "reaction.removed";
  /** When; it orders nothing. */
  at: string;
  /** The room's id. */
  room: number;
  /** The message's seq. */
  message: number;
  /** Who did it. */
  by: number;
  /** That person's name. */
  name: string;
  /** Fully qualified, so that the same one is always the same text. */
  emoji: string;
}

/** A page of those who reacted to a message, in that order. */
export interface ReactionsPage {
  reactions: Reacted[];
  /** Whether there are more: `after` is the seq of the last of these. */
  more: boolean;
  /** The head of the room's topic the page was read at. */
  heads: Record<string, number>;
}

/** The person has read on, on whatever device, or has marked something as unread; it says how it is now. */
export interface ReadMoved {
  /** Whose log: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without a gap. */
  seq: number;
  type: "read.moved";
  /** When; it orders nothing. */
  at: string;
  /** The room's id. */
  room: number;
  /** The seq in the room's log up to which the person has read. */
  read: number;
  /** How many messages came after it. */
  unread: number;
  /** How many of those mention the person; counted up to 100. */
  mentions?: number;
}

/** Moves one's read position forward. */
export interface ReadRoom {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "room.read";
  room: number;
  /** Up to which seq of the room's log one has read; not above its head. */
  seq: number;
}

/** Moves several read positions forward; a room one is not in is passed over. */
export interface ReadRooms {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "rooms.read";
  /** At most 500. */
  rooms: RoomRead[];
}

/** How far one has read. */
export interface Reading {
  /** Up to which seq of the room's log; not above its head. */
  seq: number;
}

/** How far one has read in several rooms. */
export interface Readings {
  rooms: RoomRead[];
}

/** What went wrong, as a client is told: a code for programs, a sentence for people. */
export interface Refusal {
  code: "bad_request" | "unauthenticated" | "forbidden" | "not_found" | "conflict" | "too_large" | "rate_limited" | "busy" | "unavailable" | "internal";
  /** For people; it may change at any time. */
  message: string;
  /** Seconds after which trying again makes sense. */
  retry_after?: number;
}

/** Removes somebody else; into a public room one may come back. Not from the lobby. */
export interface RemoveMember {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  room: number;
  /** Whom. */
  user: number;
  type: "room.remove";
}

/** Takes one's reaction back. Twice is fine. */
export interface RemoveReaction {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  room: number;
  /** The message's seq. */
  message: number;
  type: "reaction.remove";
  /** The one to take back. */
  emoji: string;
}

/** There is no way from the position in `hello` to the present: load the topic's state anew. */
export interface Reset {
  type: "reset";
  topic: string;
  /** The topic's newest seq; without one, the topic is not one's own any more: forget it. */
  head?: number;
  /** The last seq that cannot be had any more; where `head` is. */
  floor?: number;
}

/** An archived room is open again. Twice is fine. */
export interface RestoreRoom {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "room.restore";
  room: number;
}

/** What a message said before it was edited. */
export interface Revision {
  /** Counted from 1 for the first words. */
  version: number;
  /** When that was said. */
  at: string;
  body: string;
}

/** What somebody is on this site. */
export type Role = "owner" | "admin" | "member" | "guest";

/** A room as one person sees it; the fields from `head` on are there for members only. */
export interface Room {
  id: number;
  kind: "public" | "private" | "direct";
  /** Empty for a direct room. */
  name: string;
  /** What it is about, in a line. */
  topic?: string;
  /** What it is for, in more words. */
  description?: string;
  /** What newcomers may read: `all`, or what was said since they `joined`. */
  history?: "all" | "joined";
  /** Whether nothing more is said in it. */
  archived?: boolean;
  /** Of a direct room: whom it is between, oneself included, by id. */
  people?: Person[];
  /** True for the one room everybody is in from the start. */
  lobby: boolean;
  /** The creator's id; the lobby has none. */
  created_by?: number;
  created_at: string;
  /** How many members the room has. */
  members: number;
  /** Whether one is a member. */
  joined: boolean;
  /** The newest seq of the room's log. */
  head?: number;
  /** The last seq of the room's log that cannot be had any more, or not by this person; 0 if there is none. */
  floor?: number;
  /** The seq up to which one has read. */
  read?: number;
  /** How many messages came after `read`. */
  unread?: number;
  /** How many of those mention one, whole-room mentions included; counted up to 100. */
  mentions?: number;
  /** What one is in this room. */
  role?: RoomRole;
  /** Whether one has put it first in one's list. */
  favourite?: boolean;
  /** Whether it calls for one's attention only where one is mentioned. */
  muted?: boolean;
}

/** The person is in the room from here on: whoever follows the person's topic subscribes. */
export interface RoomAdded {
  /** Whose log: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without a gap. */
  seq: number;
  type: "room.added";
  /** When; it orders nothing. */
  at: string;
  /** As the person sees it, with all fields. */
  room: Room;
}

/** Nothing more is said in the room from here on. */
export interface RoomArchived {
  /** Whose log: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without a gap. */
  seq: number;
  type: "room.archived";
  /** When; it orders nothing. */
  at: string;
  /** The room's id. */
  room: number;
  /** Who did it. */
  by: number;
  /** That person's name. */
  name: string;
}

/** What is different; what is left out is as it was. */
export interface RoomChanges {
  name?: string;
  /** Empty if there is none any more. */
  topic?: string;
  /** Empty if there is none any more. */
  description?: string;
  /** What newcomers may read: `all`, or what was said since they `joined`. */
  history?: "all" | "joined";
}

/** Stands first in the room's own log and, for a public room, in the site's. */
export interface RoomCreated {
  /** Whose log: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without a gap. */
  seq: number;
  type: "room.created";
  /** When; it orders nothing. */
  at: string;
  /** As a stranger sees it. */
  room: Room;
  /** The creator's id. */
  by: number;
  /** The creator's name. */
  name: string;
}

/** A room, all of it read at once. */
export interface RoomDetail {
  room: Room;
  /** The first hundred; empty for those who are not members. */
  members: Member[];
  /** Whether there are more: `GET /api/rooms/{room}/members` has them. */
  more_members: boolean;
  /** The seq up to which one has read; null for those who are not members. */
  read: number | null;
  /** The head of the room's topic all of this was read at; empty for those who are not members. */
  heads: Record<string, number>;
}

/** The room as one sees it now, and where in its topic the change stands. */
export interface RoomPosition {
  topic: string;
  /** The position of the event that tells of it. */
  seq: number;
  room: Room;
}

/** How far one has read in one of several rooms. */
export interface RoomRead {
  room: number;
  /** Up to which seq of the room's log; not above its head. */
  seq: number;
}

/** The person is out of the room from here on: whoever follows the person's topic unsubscribes. */
export interface RoomRemoved {
  /** Whose log: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without a gap. */
  seq: number;
  type: "room.gone";
  /** When; it orders nothing. */
  at: string;
  /** The room's id. */
  room: number;
  /** Left out where it ended with the account, or with the visit of a guest. */
  why?: "left" | "removed" | "banned";
  /** What was said to the person about it. */
  reason?: string;
}

/** The room is open again. */
export interface RoomRestored {
  /** Whose log: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without a gap. */
  seq: number;
  type: "room.restored";
  /** When; it orders nothing. */
  at: string;
  /** The room's id. */
  room: number;
  /** Who did it. */
  by: number;
  /** That person's name. */
  name: string;
}

/** What somebody is in one room. */
export type RoomRole = "owner" | "moderator" | "member";

/** The room is called otherwise or works otherwise; where `history` is among it, load again what it shows. */
export interface RoomUpdated {
  /** Whose log: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without a gap. */
  seq: number;
  type: "room.updated";
  /** When; it orders nothing. */
  at: string;
  /** The room's id. */
  room: number;
  /** Who did it. */
  by: number;
  /** That person's name. */
  name: string;
  changes: RoomChanges;
}

/** A page of the directory. */
export interface RoomsPage {
  rooms: Room[];
  /** Whether there are rooms after the last of these. */
  more: boolean;
}

/** Says something in a room. The same key and words get the first answer again, whatever has happened since. */
export interface SendMessage {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "message.send";
  room: number;
  /** 1 to 64 printable ASCII characters, unique among one's messages in the room, for ever. */
  key: string;
  /** At most 8,000 characters and 16 KiB of UTF-8, and not blank. */
  body: string;
  /** The seq of the message in the same room that this one answers. */
  reply_to?: number | null;
}

/** A frame from the server: `welcome` first, then events and answers. */
export type ServerFrame = Welcome | More | Reset | ChatEvent | Pong | UserTyping | PresenceChanged | Ok | CommandRefused;

/** What this server takes at most. */
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

/** One place where somebody is logged in. */
export interface Session {
  id: string;
  /** `browser` is known by a cookie, `token` by bearer tokens. */
  kind: "browser" | "token";
  /** What the client called itself, such as "Firefox on Linux"; empty if that said nothing. */
  client: string;
  created_at: string;
  last_seen_at: string;
  /** When it ends if it is not seen again. */
  expires_at: string;
  /** Whether it is the one that asks. */
  current: boolean;
}

/** One of the person's sessions has ended; its connections close with 4503. */
export interface SessionClosed {
  /** Whose log: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without a gap. */
  seq: number;
  type: "session.closed";
  /** When; it orders nothing. */
  at: string;
  /** The session's id. */
  session: string;
}

/** The person has logged in somewhere. */
export interface SessionOpened {
  /** Whose log: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without a gap. */
  seq: number;
  type: "session.opened";
  /** When; it orders nothing. */
  at: string;
  session: Session;
}

/** Where one is logged in, the most recently seen first. */
export interface Sessions {
  sessions: Session[];
}

/** Whether nobody is at this device any more. */
export interface SetIdle {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "presence.idle";
  /** True once nobody has touched it for a while, false with the first touch. */
  idle: boolean;
}

/** Chooses how one appears to others. It replaces all that was chosen before. */
export interface SetPresence {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "presence.set";
  /** `dnd` is "do not disturb"; `invisible` looks like offline to everybody else. */
  status?: "online" | "away" | "dnd" | "invisible";
  /** A line about it; empty for none. */
  text?: string;
  /** Any one emoji of Unicode. */
  emoji?: string | null;
  /** When one is plainly online again; RFC 3339. */
  until?: string | null;
}

/** Says what a member is in the room. There is one owner: who makes another one is a moderator from then on. What is so already is fine, and an archived room may be handed over. */
export interface SetRoomRole {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  room: number;
  /** Whom. */
  user: number;
  type: "room.role";
  role: RoomRole;
}

/** What a room is to oneself; what is left out stays. */
export interface Settings {
  favourite?: boolean | null;
  muted?: boolean | null;
}

/** What a room is to the person. */
export interface SettingsChanged {
  /** Whose log: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without a gap. */
  seq: number;
  type: "settings.changed";
  /** When; it orders nothing. */
  at: string;
  /** The room's id. */
  room: number;
  /** Whether it stands first in one's list. */
  favourite: boolean;
  /** Whether it calls for one's attention only where one is mentioned. */
  muted: boolean;
}

/** What anybody may know of this place. */
export interface Site {
  /** Whether nobody has used the owner's link yet. */
  needs_owner: boolean;
  /** Who may make an account. */
  signup: "invite" | "open" | "closed";
  /** `host`: the app around this one knows who people are, and there is nothing to log in with here. */
  accounts: "own" | "host";
  name: string;
  version: string;
}

/** How one has chosen to appear. */
export interface Status {
  /** `invisible` looks like `offline` to everybody else. */
  status: "online" | "away" | "dnd" | "invisible";
  /** What one says about it. */
  text?: string;
  /** An emoji that goes with it. */
  emoji?: string;
  /** When one is plainly online again. */
  until?: string;
}

/** The person has chosen how to appear. */
export interface StatusChanged {
  /** Whose log: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without a gap. */
  seq: number;
  type: "status.changed";
  /** When; it orders nothing. */
  at: string;
  chosen: Status;
}

/** The token out of an invite's link. */
export interface Token {
  token: string;
}

/** With the sentence once more, where clients of the OAuth2 password form look for it. */
export interface TokenErrorBody {
  error: Refusal;
  detail: string;
}

/** What a program shows, and what it gets the next pair with. */
export interface TokenPair {
  access_token: string;
  token_type: "bearer";
  /** Seconds. */
  expires_in: number;
  /** Good for one use. */
  refresh_token: string;
}

/** One is writing in a room. To be said every three seconds while it is so, not more often. */
export interface Typing {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "typing";
  room: number;
}

/** A banned person may come back. Twice is fine. */
export interface UnbanMember {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  room: number;
  /** Whom. */
  user: number;
  type: "room.unban";
}

/** The message is no longer kept in view. Twice is fine. */
export interface UnpinMessage {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  room: number;
  /** The message's seq. */
  message: number;
  type: "message.unpin";
}

/** Moves one's read position back to just before a message. */
export interface UnreadRoom {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "room.unread";
  room: number;
  /** The seq of the first message that is to be unread. */
  message: number;
}

/** From where on one has not read. */
export interface Unreading {
  /** The seq of the first message that is to be unread. */
  message: number;
}

/** Changes what is given of a room; what is left out stays. */
export interface UpdateRoom {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "room.update";
  room: number;
  name?: string | null;
  topic?: string | null;
  /** What it is for; empty for nothing. */
  description?: string | null;
  /** What newcomers may read: `all`, or what was said since they `joined`. */
  history?: "all" | "joined" | null;
}

/** Somebody, as everybody may know him. */
export interface User {
  id: number;
  /** Unique, also among names that look alike. */
  name: string;
  role: Role;
  created_at: string;
}

/** Somebody is writing in a room; true for five seconds, unless he says something before. */
export interface UserTyping {
  type: "typing";
  room: number;
  /** The person's id. */
  user: number;
  name: string;
}

/** Whose presence this connection shows from here on, instead of those it showed before. */
export interface WatchPresence {
  /** A number that the client chooses. The answer repeats it as `re`. */
  id: number;
  type: "presence.watch";
  /** The ids of the people, at most 200. */
  users: number[];
}

/** The first frame from the server: who one is, and how things stand. */
export interface Welcome {
  type: "welcome";
  /** Which history the seqs below belong to: it changes only when a backup was restored. */
  epoch: string;
  user: User;
  /** The rooms one is in, the lobby first. */
  rooms: Room[];
  /** The newest seq of every topic one follows, at the moment all of this was read. */
  heads: Record<string, number>;
  limits: ServerLimits;
  /** The id of the session this connection lives by. */
  session: string;
  status: Status;
}
