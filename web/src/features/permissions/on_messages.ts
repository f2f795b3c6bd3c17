/** Which actions the client offers on a message. Pure. */
import type { Room, User } from "../../state/model";
import type { MessageItem } from "../../state/timeline";
import { may } from "./permissions";

/** A message, its room, and the user who sees it. */
export interface ActionTarget {
  readonly me: User;
  readonly room: Room;
  readonly message: MessageItem;
}

const whose = ({ me, message }: ActionTarget) => (message.by === me.id ? "own" : "other");

export const isThere = ({ message }: ActionTarget): boolean => message.body !== null;

export const mayReply = (target: ActionTarget): boolean => isThere(target) && may("send", target.me, target.room);
export const mayReact = (target: ActionTarget): boolean => isThere(target) && may("react", target.me, target.room);
export const mayEdit = (target: ActionTarget): boolean =>
  isThere(target) && may(`edit ${target.message.forwarded ? "forwarded" : whose(target)}`, target.me, target.room);
export const mayDelete = (target: ActionTarget): boolean => isThere(target) && may(`delete ${whose(target)}`, target.me, target.room);
export const mayPin = (target: ActionTarget): boolean => isThere(target) && may("pin", target.me, target.room);
export const maySeeEdits = (target: ActionTarget): boolean =>
  isThere(target) && target.message.edited_at !== undefined && may(`see edits ${whose(target)}`, target.me, target.room);
