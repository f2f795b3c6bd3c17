/** The words for events, states and responses of webhooks. Pure. */
import { full } from "../../ui/times";
import { counted } from "../rooms/names";
import type { Delivery, EventType, Webhook } from "./webhooks";

interface EventWords {
  readonly group: "Messages" | "Reactions and pins" | "Members" | "Room";
  readonly label: string;
  /** Chosen in the form of a new webhook. */
  readonly usual?: true;
}

export const EVENTS: Readonly<Record<EventType, EventWords>> = {
  "message.sent": { group: "Messages", label: "Sent", usual: true },
  "message.edited": { group: "Messages", label: "Edited", usual: true },
  "message.deleted": { group: "Messages", label: "Deleted", usual: true },
  "reaction.added": { group: "Reactions and pins", label: "Reaction added" },
  "reaction.removed": { group: "Reactions and pins", label: "Reaction removed" },
  "message.pinned": { group: "Reactions and pins", label: "Message pinned" },
  "message.unpinned": { group: "Reactions and pins", label: "Message unpinned" },
  "member.joined": { group: "Members", label: "Joined" },
  "member.left": { group: "Members", label: "Left" },
  "member.removed": { group: "Members", label: "Removed" },
  "member.banned": { group: "Members", label: "Banned" },
  "member.unbanned": { group: "Members", label: "Unbanned" },
  "member.role_changed": { group: "Members", label: "Role changed" },
  "room.created": { group: "Room", label: "Created" },
  "room.updated": { group: "Room", label: "Details changed" },
  "room.archived": { group: "Room", label: "Archived" },
  "room.restored": { group: "Room", label: "Restored" },
};

const TYPES = Object.keys(EVENTS) as EventType[];

export const usualEvents = (): EventType[] => TYPES.filter((type) => EVENTS[type].usual);

/** The types by group. A webhook of a room is created later than its room. */
export function eventGroups(ofSite: boolean): [EventWords["group"], EventType[]][] {
  const groups = new Map<EventWords["group"], EventType[]>();
  for (const type of TYPES) {
    if (type === "room.created" && !ofSite) continue;
    const { group } = EVENTS[type];
    groups.set(group, [...(groups.get(group) ?? []), type]);
  }
  return [...groups];
}

/** Describe an event in a list of deliveries. A newer server may send types that this client does not know. */
export function eventName(type: string): string {
  if (type === "webhook.test") return "Test event";
  if (!Object.hasOwn(EVENTS, type)) return type;
  const words = EVENTS[type as EventType];
  if (words.group === "Reactions and pins") return words.label;
  const noun = { Messages: "Message", Members: "Member", Room: "Room" }[words.group];
  return `${noun} ${words.label.toLowerCase()}`;
}

export interface Condition {
  readonly label: "Active" | "Starting" | "Paused" | "Failing";
  readonly tone: "good" | "quiet" | "bad";
  /** What it means, and what the user can do. */
  readonly text: string;
}

export function conditionOf(webhook: Webhook): Condition {
  const waiting = webhook.waiting_count ? ` ${waitingIn(webhook)}` : "";
  if (webhook.state === "starting") return { label: "Starting", tone: "quiet", text: "It gets the first events in a moment." };
  if (webhook.state === "paused") {
    const text = webhook.paused_reason ?? "Paused by a manager. New events wait until it is resumed.";
    return { label: "Paused", tone: webhook.paused_reason ? "bad" : "quiet", text: text + waiting };
  }
  if (webhook.failing_since) {
    const next = webhook.next_attempt_at ? ` Next attempt: ${full(webhook.next_attempt_at)}.` : "";
    return { label: "Failing", tone: "bad", text: `Failing since ${full(webhook.failing_since)}.${next}${waiting}` };
  }
  return { label: "Active", tone: "good", text: webhook.waiting_count ? "Sending events." : "All events were sent." };
}

/** The count includes events of types that the webhook does not get. */
const waitingIn = ({ waiting_count }: Webhook): string =>
  waiting_count === 1 ? "1 event may be waiting." : `Up to ${counted(waiting_count, "event", "events")} are waiting.`;

/** Describe a response in a few words, such as "200 in 35 ms". */
export function outcome({ error, status, milliseconds }: Delivery): string {
  const took = milliseconds < 1_000 ? `${milliseconds} ms` : `${(milliseconds / 1_000).toFixed(1)} s`;
  return error ?? `${status} in ${took}`;
}
