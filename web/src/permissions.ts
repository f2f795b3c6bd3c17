/** What users may do. Written by `make contract` from `hubbub.domain.permissions`. Do not edit. */

/** The order of the digits in a group. */
export const SITE_ROLES = ["owner", "admin", "member", "guest"] as const;
/** The order of the bits in a digit, the highest first. The last one is for users who are not members. */
export const ROOM_ROLES = ["owner", "moderator", "member"] as const;
/** The order of the groups: these, then the same for archived rooms, then the lobby. */
export const KINDS = ["public", "private", "direct"] as const;

/** One group: the same everywhere. */
export const ON_SITE = {
  "create room": "fff0",
  "find people": "fff0",
  "invite to site": "ff00",
  "manage site webhooks": "ff00",
  "change settings": "ff00",
} as const;

export const IN_ROOM = {
  "send": "eeee eeee eeee 0000 0000 0000 eeee",
  "react": "eeee eeee eeee 0000 0000 0000 eeee",
  "mention room": "eecc eecc eeee 0000 0000 0000 eecc",
  "mention small room": "eeee eeee eeee 0000 0000 0000 eeee",
  "edit own": "eeee eeee eeee 0000 0000 0000 eeee",
  "edit forwarded": "0000 0000 0000 0000 0000 0000 0000",
  "edit other": "0000 0000 0000 0000 0000 0000 0000",
  "delete own": "eeee eeee eeee eeee eeee eeee eeee",
  "delete other": "eecc eecc 0000 eecc eecc 0000 eecc",
  "see edits own": "eeee eeee eeee eeee eeee eeee eeee",
  "see edits other": "eecc eecc 0000 eecc eecc 0000 eecc",
  "pin": "eecc eecc eeee 0000 0000 0000 eecc",
  "update": "ffcc eecc eeee 0000 0000 0000 ffcc",
  "update history": "ff88 ee88 0000 0000 0000 0000 ff88",
  "archive": "ff88 ee88 0000 ff88 ee88 0000 0000",
  "join": "fffe eeee eeee eeee eeee eeee fffe",
  "leave": "eeee eeee 0000 eeee eeee 0000 0000",
  "leave others": "6666 6666 0000 6666 6666 0000 0000",
  "moderate": "ffcc eecc 0000 ffcc eecc 0000 ffcc",
  "invite": "ffcc eecc 0000 0000 0000 0000 ffcc",
  "manage webhooks": "ff88 ee88 0000 ff88 ee88 0000 ff88",
  "create webhook": "ff88 ee88 0000 0000 0000 0000 ff88",
  "add": "ffe0 eee0 0000 0000 0000 0000 ffe0",
  "unban": "ffcc eecc 0000 0000 0000 0000 0000",
  "remove self": "0000 0000 0000 0000 0000 0000 0000",
  "remove owner": "ff00 ee00 0000 0000 0000 0000 0000",
  "remove moderator": "ff88 ee88 0000 0000 0000 0000 0000",
  "remove member": "ffcc eecc 0000 0000 0000 0000 0000",
  "make owner moderator": "0000 0000 0000 0000 0000 0000 0000",
  "make owner member": "0000 0000 0000 0000 0000 0000 0000",
  "make moderator owner": "ff88 ee88 0000 ff88 ee88 0000 0000",
  "make moderator member": "ff88 ee88 0000 0000 0000 0000 ff88",
  "make member owner": "ff88 ee88 0000 ff88 ee88 0000 0000",
  "make member moderator": "ff88 ee88 0000 0000 0000 0000 ff88",
} as const;
