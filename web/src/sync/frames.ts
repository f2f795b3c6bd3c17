/** What goes over the wire besides events: commands, answers and the frames around them (hubbub.v1). */
import type { ChatEvent } from "../state/events";
import type { Limits, Room, User } from "../state/model";

export interface Welcome {
  type: "welcome";
  epoch: string;
  user: User;
  rooms: Room[];
  heads: Record<string, number>;
  limits: Limits;
  session: string;
}

export interface WireError {
  code: string;
  message: string;
  retry_after?: number;
}

export interface Page {
  epoch: string;
  events?: ChatEvent[];
  reset?: boolean;
  head: number;
  floor?: number;
}

export type Answer =
  | { re: number | null; ok: Record<string, unknown>; error?: undefined }
  | { re: number | null; error: WireError; ok?: undefined };

export type Frame =
  | Welcome
  | Answer
  | ChatEvent
  | { type: "more"; topic: string; head: number }
  /** Without a head: a topic that is not ours any more. */
  | { type: "reset"; topic: string; head?: number; floor?: number }
  | { type: "pong" };

export type Command =
  | { type: "hello"; epoch?: string; have?: Record<string, number> }
  | { id: number; type: "message.send"; room: number; key: string; body: string }
  | { id: number; type: "events.since"; topic: string; epoch: string; after: number; limit: number }
  | { id: number; type: "room.read"; room: number; seq: number };

export const isAnswer = (frame: Frame): frame is Answer => "re" in frame;
export const isEvent = (frame: Frame): frame is ChatEvent => "seq" in frame && "topic" in frame;
