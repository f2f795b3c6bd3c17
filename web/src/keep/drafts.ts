/** What was begun in a room and not sent, by person and room. */
import { ofBrowser, read, write } from "./storage";

const keyOf = (user: number, room: number): string => `draft.${user}.${room}`;

export const loadDraft = (user: number, room: number): string => read(ofBrowser(), keyOf(user, room)) ?? "";
export const saveDraft = (user: number, room: number, text: string): void => write(ofBrowser(), keyOf(user, room), text);
