/** What a user has chosen in this browser, for all rooms. */
import { ofBrowser, read, write } from "./storage";

const people = (user: number): string => `people.${user}`;
const lastRoom = (user: number): string => `room.${user}`;

/** True unless the user has closed the list of people. */
export const wantsPeople = (user: number): boolean => read(ofBrowser(), people(user)) !== "closed";

export function choosePeople(user: number, shown: boolean): void {
  write(ofBrowser(), people(user), shown ? null : "closed");
}

/** The room that was open last, or 0. */
export const roomOpenedLast = (user: number): number => Number(read(ofBrowser(), lastRoom(user)) ?? 0);

export function openedRoom(user: number, room: number): void {
  write(ofBrowser(), lastRoom(user), String(room));
}
