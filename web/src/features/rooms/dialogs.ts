import type { Member } from "../../state/model";

/** The dialogs about a room. One of them is open at a time. */
export type RoomDialog =
  | "about"
  | "pins"
  | "add"
  | "links"
  | "bans"
  | "webhooks"
  | "archive"
  | "restore"
  | "leave"
  | { member: Member; what: "remove" | "ban" | "owner" };
