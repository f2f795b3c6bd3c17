/**
 * What the element in the host's page and the page of one room in its frame tell each other, over a
 * channel of their own.
 */

/** loading; ready: the room is shown; away: no connection; the others are shown with a sentence. */
export type RoomState = "loading" | "ready" | "logged-out" | "not-a-member" | "away" | "closed";

/** From the page of the room, to any page around it: it may be connected. */
export interface Ready {
  readonly hubbub: "ready";
}

/** From the element, with a port. */
export interface Connect {
  readonly hubbub: "connect";
  /** The host's page has tokens. */
  readonly tokens: boolean;
}

export type FromElement =
  | { readonly type: "theme"; readonly dark: boolean; readonly values: Readonly<Record<string, string>> }
  /** The answer to `token?`. Null: the host knows no user. Undefined: the host can't tell now. */
  | { readonly type: "token"; readonly id: number; readonly token: string | null | undefined }
  /** The host's page has got tokens, or its user has changed. */
  | { readonly type: "refresh"; readonly tokens: boolean };

export type ToElement =
  /** The custom properties to send. */
  | { readonly type: "properties"; readonly names: readonly string[] }
  | { readonly type: "token?"; readonly id: number }
  | { readonly type: "state"; readonly state: RoomState; readonly name: string }
  | { readonly type: "unread"; readonly count: number; readonly mentions: number };
