/**
 * Which actions the client offers on a message: the server's rules (`domain/rules.py`) as far as
 * the screens need them. The server decides; actions that it would refuse are not offered. Pure.
 */
import type { Room, User } from "../../state/model";
import type { MessageItem } from "../../state/timeline";

/** A message, its room, and the user who sees it. */
export interface Scene {
  readonly me: User;
  readonly room: Room;
  readonly message: MessageItem;
}

/** True for the room's owner, its moderators, and the site's staff. */
const isModerator = ({ me, room }: Scene): boolean =>
  me.role === "owner" || me.role === "admin" || room.role === "owner" || room.role === "moderator";

/** True for the author and for moderators. Direct rooms have no moderators. */
const mayModerate = (scene: Scene): boolean =>
  scene.message.by === scene.me.id || (scene.room.kind !== "direct" && isModerator(scene));

/** Archived rooms are read-only. */
const isOpen = ({ room }: Scene): boolean => room.joined && !room.archived;

export const isThere = ({ message }: Scene): boolean => message.body !== null;

export const mayReply = (scene: Scene): boolean => isOpen(scene) && isThere(scene);
export const mayReact = mayReply;
export const mayEdit = (scene: Scene): boolean => mayReply(scene) && scene.message.by === scene.me.id && !scene.message.forwarded;
/** Also in archived rooms. */
export const mayDelete = (scene: Scene): boolean => scene.room.joined && isThere(scene) && mayModerate(scene);
export const mayPin = (scene: Scene): boolean => mayReply(scene) && (scene.room.kind === "direct" || isModerator(scene));
/** View the edit history. */
export const mayLookBack = (scene: Scene): boolean => isThere(scene) && scene.message.edited_at !== undefined && mayModerate(scene);
