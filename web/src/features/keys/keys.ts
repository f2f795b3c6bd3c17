/** All keyboard shortcuts, by place. Pure. */
import { ACTIONS } from "../actions/action_list";

export interface Key {
  /** Alternatives; the keys of each are pressed together. */
  readonly keys: readonly (readonly string[])[];
  readonly does: string;
}

const command = (): string => (navigator.platform.startsWith("Mac") ? "⌘" : "Ctrl");

/** The label on the keyboard. */
const face = (key: string): string => (key.length === 1 ? key.toUpperCase() : key);

export const groups = (): readonly (readonly [string, readonly Key[]])[] => [
  [
    "Everywhere",
    [
      { keys: [[command(), "K"]], does: "Jump to a room or person" },
      { keys: [[command(), "Shift", "F"]], does: "Search messages, or return to the results" },
      {
        keys: [
          ["Alt", "Shift", "↓"],
          ["Alt", "Shift", "↑"],
        ],
        does: "Next or previous unread room",
      },
      { keys: [["Esc"]], does: "Close what is open, or mark this room as read" },
      { keys: [["Shift", "Esc"]], does: "Mark everything as read, or undo it" },
      { keys: [["?"], [command(), "/"]], does: "Show keyboard shortcuts" },
    ],
  ],
  [
    "Message field",
    [
      { keys: [["Enter"]], does: "Send" },
      { keys: [["Shift", "Enter"]], does: "New line" },
      { keys: [["↑"]], does: "Edit your last message (when the field is empty)" },
      { keys: [["@"], [":"]], does: "Mention someone or insert an emoji" },
      { keys: [["Shift", "Tab"]], does: "Go to the messages" },
    ],
  ],
  [
    "Messages",
    [
      { keys: [["↑"], ["↓"], ["K"], ["J"]], does: "Previous or next message" },
      { keys: [["Page ↑"], ["Page ↓"], ["Home"], ["End"]], does: "Older or newer messages" },
      { keys: [["Tab"]], does: "Links and buttons in the message" },
      { keys: [["Enter"]], does: "Open the message menu" },
      ...ACTIONS.filter(({ label }) => label !== "Unpin").map(({ label, key }) => ({ keys: [[face(key)]], does: label })),
      { keys: [["Esc"]], does: "Back to the message field" },
    ],
  ],
  [
    "Search",
    [
      { keys: [["↓"], ["↑"]], does: "Next or previous result" },
      { keys: [["Enter"]], does: "Open the result" },
      { keys: [["Backspace"]], does: "Remove the last filter (at the start of the field)" },
      { keys: [["Esc"]], does: "Back to the search field, then close the search" },
    ],
  ],
  [
    "Lists and menus",
    [
      { keys: [["↑"], ["↓"], ["Home"], ["End"]], does: "Previous or next item" },
      { keys: [["Enter"]], does: "Open the item or its menu" },
    ],
  ],
];
