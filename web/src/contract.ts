/** The contract's types. Written by `make contract` out of the server's models; not to be edited. */

/** What `ok` holds, by the type of what is answered. */
export interface Answers {
  "message.send": Position;
  "room.create": RoomPosition;
  "room.join": RoomPosition;
  "room.leave": Position;
  "room.remove": Position;
  "room.read": MaybePosition;
  "events.since": EventPage | NoWay;
  ping: Nothing;
}

/** Whether there are more messages on either side of a page. */
export interface Beyond {
  before: boolean;
  after: boolean;
}

export type ChatEvent = MessageSent | MemberJoined | MemberLeft | MemberRemoved | RoomCreated | RoomAdded | RoomGone | ReadMoved | SessionOpened | SessionClosed;

/** Whether an invite opens the door now. */
export interface Checked {
  valid: boolean;
  /** The room an invite leads into; null for the site alone. */
  room: number | null;
}

/** What a client says: `hello` first, then commands, queries and pings. */
export type ClientFrame = Hello | SendMessage | CreateRoom | JoinRoom | LeaveRoom | RemoveMember | ReadRoom | EventsSince | Ping;

/** Makes a room with oneself in it. */
export interface CreateRoom {
  /** The client's own number for this, echoed as `re`. */
  id: number;
  type: "room.create";
  kind?: "public";
  /** 1 to 64 printable characters; unique among public rooms, also among names that look alike. */
  name: string;
  /** With one, a retry gets the same room. */
  key?: string | null;
}

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
  /** The client's own number for this, echoed as `re`. */
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

/** The tutorial's welcome. */
export interface Greeting {
  message: string;
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
  /** In the answer that makes the invite and nowhere else: the store keeps a hash. */
  token?: string;
  /** The address to give away; where `token` is. */
  link?: string;
}

/** The invites that can still be used. */
export interface Invites {
  invites: Invite[];
}

/** Becomes a member. Twice is fine. */
export interface JoinRoom {
  /** The client's own number for this, echoed as `re`. */
  id: number;
  type: "room.join";
  room: number;
}

/** Is a member no longer. Nobody leaves the lobby. */
export interface LeaveRoom {
  /** The client's own number for this, echoed as `re`. */
  id: number;
  type: "room.leave";
  room: number;
}

/** What this server takes at most. */
export interface Limits {
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

/** A page of a room's members, by id. */
export interface MembersPage {
  members: Member[];
  /** Whether there are members after the last of these. */
  more: boolean;
  /** The head of the room's topic the page was read at. */
  heads: Record<string, number>;
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
  /** The author's name at that time. */
  name: string;
  /** What the author gave to make a retry harmless. */
  key: string;
  body: string;
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
}

/** A page of history. */
export interface Messages {
  /** By ascending seq. */
  messages: Message[];
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

/** With a `key`, a retry gets the same invite. */
export interface NewInvite {
  /** null for any number */
  max_uses?: number | null;
  /** seconds; null for never */
  expires_in?: number | null;
  key?: string | null;
}

/** `key` makes a retry harmless: the same key gives the same message. */
export interface NewMessage {
  key: string;
  body: string;
}

/** The password one has, and the one to have: at least 8 characters, at most 1,024 bytes. */
export interface NewPassword {
  current_password: string;
  new_password: string;
}

/** `key` makes a retry harmless: the same key gives the same room. */
export interface NewRoom {
  kind?: "public";
  /** 1 to 64 printable characters; unique among public rooms, also among names that look alike. */
  name: string;
  key?: string | null;
}

/** `token` is out of a reset link. */
export interface NewStart {
  token: string;
  password: string;
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

/** An empty object. */
export type Nothing = Record<string, never>;

/** The answer to a command or a query. */
export interface Ok {
  /** The `id` of what is answered. */
  re: number;
  ok: RoomPosition | Position | MaybePosition | EventPage | NoWay | Nothing;
}

/** Who is there now. */
export interface Online {
  /** Who has a live connection in the room, on whatever device. */
  users: Person[];
}

/** One's own, once more. */
export interface Password {
  password: string;
}

/** Somebody. */
export interface Person {
  id: number;
  name: string;
}

/** A sign of life that asks for one. */
export interface Ping {
  /** The client's own number for this, echoed as `re`. */
  id?: number;
  type: "ping";
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

/** The person has read on, on whatever device. */
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
}

/** Moves one's read position forward. */
export interface ReadRoom {
  /** The client's own number for this, echoed as `re`. */
  id: number;
  type: "room.read";
  room: number;
  /** Up to which seq of the room's log one has read; not above its head. */
  seq: number;
}

/** How far one has read. */
export interface Reading {
  /** Up to which seq of the room's log; not above its head. */
  seq: number;
}

/** What went wrong, as a client is told: a code for programs, a sentence for people. */
export interface Refusal {
  code: "bad_request" | "unauthenticated" | "forbidden" | "not_found" | "conflict" | "too_large" | "rate_limited" | "busy" | "unavailable" | "internal";
  /** For people; it may change at any time. */
  message: string;
  /** Seconds after which trying again makes sense. */
  retry_after?: number;
}

/** The answer to what is refused; the connection goes on. */
export interface Refused {
  /** The `id` of what is answered; null for a frame that was no command. */
  re: number | null;
  error: Refusal;
}

/** Removes somebody else: for the room's owner and for the site's owners and admins. Not from the lobby. */
export interface RemoveMember {
  /** The client's own number for this, echoed as `re`. */
  id: number;
  type: "room.remove";
  room: number;
  /** Whom. */
  user: number;
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

/** What somebody is on this site. */
export type Role = "owner" | "admin" | "member" | "guest";

/** A room as one person sees it; the fields from `head` on are there for members only. */
export interface Room {
  id: number;
  kind: "public" | "private" | "direct";
  name: string;
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
  /** What one is in this room. */
  role?: RoomRole;
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

/** The person is out of the room from here on: whoever follows the person's topic unsubscribes. */
export interface RoomGone {
  /** Whose log: `room:ID`, `user:ID` or `site`. */
  topic: string;
  /** The position in the topic, counted from 1 without a gap. */
  seq: number;
  type: "room.gone";
  /** When; it orders nothing. */
  at: string;
  /** The room's id. */
  room: number;
}

/** The room as one sees it now, and where in its topic the change stands. */
export interface RoomPosition {
  topic: string;
  /** The position of the event that tells of it. */
  seq: number;
  room: Room;
}

/** What somebody is in one room. */
export type RoomRole = "owner" | "moderator" | "member";

/** A page of the directory. */
export interface RoomsPage {
  rooms: Room[];
  /** Whether there are rooms after the last of these. */
  more: boolean;
}

/** Says something in a room. The same key and body get the first answer again, whatever has happened since. */
export interface SendMessage {
  /** The client's own number for this, echoed as `re`. */
  id: number;
  type: "message.send";
  room: number;
  /** 1 to 64 printable ASCII characters, unique among one's messages in the room, for ever. */
  key: string;
  /** At most 8,000 characters and 16 KiB of UTF-8, and not blank. */
  body: string;
}

/** What the server says: `welcome` first, then events and answers. */
export type ServerFrame = Welcome | More | Reset | ChatEvent | Pong | Ok | Refused;

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

/** Somebody, as everybody may know him. */
export interface User {
  id: number;
  /** Unique, also among names that look alike. */
  name: string;
  role: Role;
  created_at: string;
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
  limits: Limits;
  /** The id of the session this connection lives by. */
  session: string;
}
