/** Every key that does something, and where. Pure. */
import { ACTIONS } from "../actions/action_list";

export interface Key {
  /** To be pressed together; several ways to the same. */
  readonly keys: readonly (readonly string[])[];
  readonly does: string;
}

const command = (): string => (navigator.platform.startsWith("Mac") ? "⌘" : "Ctrl");

/** As it stands on the keyboard. */
const face = (key: string): string => (key.length === 1 ? key.toUpperCase() : key);

export const groups = (): readonly (readonly [string, readonly Key[]])[] => [
  ["Everywhere", [
    { keys: [[command(), "K"]], does: "Go to a room or a person" },
    { keys: [["Alt", "Shift", "↓"], ["Alt", "Shift", "↑"]], does: "Next room in which something waits" },
    { keys: [["Esc"]], does: "Close what is open; else mark this room as read" },
    { keys: [["Shift", "Esc"]], does: "Mark everything as read, or undo that" },
    { keys: [["?"], [command(), "/"]], does: "Show these keys" },
  ]],
  ["Where you write", [
    { keys: [["Enter"]], does: "Send" },
    { keys: [["Shift", "Enter"]], does: "New line" },
    { keys: [["↑"]], does: "Edit your last message, while the field is empty" },
    { keys: [["@"], [":"]], does: "Names and emoji to choose from" },
    { keys: [["Shift", "Tab"]], does: "Into the messages" },
  ]],
  ["At a message", [
    { keys: [["↑"], ["↓"], ["K"], ["J"]], does: "From message to message" },
    { keys: [["Page ↑"], ["Page ↓"], ["Home"], ["End"]], does: "Farther" },
    { keys: [["Tab"]], does: "Into what stands in it" },
    { keys: [["Enter"]], does: "Everything one can do with it" },
    ...ACTIONS.filter(({ label }) => label !== "Unpin").map(({ label, key }) => ({ keys: [[face(key)]], does: label })),
    { keys: [["Esc"]], does: "Back to where you write" },
  ]],
  ["In lists and menus", [
    { keys: [["↑"], ["↓"], ["Home"], ["End"]], does: "From one to the next" },
    { keys: [["Enter"]], does: "Open it, or what there is to do with it" },
  ]],
];
