/** What clients see of people, rooms and messages: the server's own words (docs/protocol.md). */

export type SiteRole = "owner" | "admin" | "member" | "guest";
export type RoomRole = "owner" | "moderator" | "member";

export interface User {
  id: number;
  name: string;
  role: SiteRole;
  created_at: string;
}

export interface Room {
  id: number;
  kind: "public" | "private" | "direct";
  name: string;
  lobby: boolean;
  created_by: number | null;
  created_at: string;
  members: number;
  joined: boolean;
  /** From here on: for members only. */
  head?: number | null;
  floor?: number | null;
  read?: number | null;
  unread?: number | null;
  role?: RoomRole | null;
}

export interface Member {
  id: number;
  name: string;
  role: RoomRole;
  joined_at: string;
}

export interface Message {
  room: number;
  seq: number;
  n: number;
  at: string;
  by: number;
  name: string;
  key: string;
  body: string | null;
}

export interface Session {
  id: string;
  kind: "browser" | "token";
  client: string;
  created_at: string;
  last_seen_at: string;
  expires_at: string;
  current: boolean;
}

export interface Invite {
  id: string;
  token?: string | null;
  link?: string | null;
  uses: number;
  max_uses: number | null;
  created_at: string;
  expires_at: string | null;
  created_by: number;
}

export interface Limits {
  body: number;
  characters: number;
}

export const roomTopic = (room: number): string => `room:${room}`;
