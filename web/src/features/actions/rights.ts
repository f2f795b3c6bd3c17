/**
 * What one is offered at a message: the server's rules (`domain/rules.py`) as far as the screens need them. The server
 * decides; what is not allowed is just not offered. Pure.
 */
import type { Room, User } from "../../state/model";
import type { MessageItem } from "../../state/timeline";

/** Who looks at which message, and where. */
export interface Scene {
  readonly me: User;
  readonly room: Room;
  readonly message: MessageItem;
}

/** The room's owner, its moderators, and the site's staff. */
const looksAfter = ({ me, room }: Scene): boolean =>
  me.role === "owner" || me.role === "admin" || room.role === "owner" || room.role === "moderator";

/** The author, and who looks after the room; in a direct room nobody looks after anybody. */
const answersFor = (scene: Scene): boolean =>
  scene.message.by === scene.me.id || (scene.room.kind !== "direct" && looksAfter(scene));

/** Nothing is said or changed in an archived room. */
const isOpen = ({ room }: Scene): boolean => room.joined && !room.archived;

export const isThere = ({ message }: Scene): boolean => message.body !== null;

export const mayReply = (scene: Scene): boolean => isOpen(scene) && isThere(scene);
export const mayReact = mayReply;
export const mayEdit = (scene: Scene): boolean => mayReply(scene) && scene.message.by === scene.me.id && !scene.message.forwarded;
/** Also where nothing more is said. */
export const mayDelete = (scene: Scene): boolean => scene.room.joined && isThere(scene) && answersFor(scene);
export const mayPin = (scene: Scene): boolean => mayReply(scene) && (scene.room.kind === "direct" || looksAfter(scene));
/** What it said before. */
export const mayLookBack = (scene: Scene): boolean => isThere(scene) && scene.message.edited_at !== undefined && answersFor(scene);
