/** Which actions the client offers on a message. Pure. */
import type { Room, User } from "../../state/model";
import type { MessageItem } from "../../state/timeline";
import { may } from "./permissions";

/** A message, its room, and the user who sees it. */
export interface Scene {
  readonly me: User;
  readonly room: Room;
  readonly message: MessageItem;
}

const whose = ({ me, message }: Scene) => (message.by === me.id ? "own" : "other");

export const isThere = ({ message }: Scene): boolean => message.body !== null;

export const mayReply = (scene: Scene): boolean => isThere(scene) && may("send", scene.me, scene.room);
export const mayReact = (scene: Scene): boolean => isThere(scene) && may("react", scene.me, scene.room);
export const mayEdit = (scene: Scene): boolean =>
  isThere(scene) && may(`edit ${scene.message.forwarded ? "forwarded" : whose(scene)}`, scene.me, scene.room);
export const mayDelete = (scene: Scene): boolean => isThere(scene) && may(`delete ${whose(scene)}`, scene.me, scene.room);
export const mayPin = (scene: Scene): boolean => isThere(scene) && may("pin", scene.me, scene.room);
export const maySeeEdits = (scene: Scene): boolean =>
  isThere(scene) && scene.message.edited_at !== undefined && may(`see edits ${whose(scene)}`, scene.me, scene.room);
