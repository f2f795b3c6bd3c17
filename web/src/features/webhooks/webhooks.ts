/** Webhooks of a room, or of the site: the requests. */
import type { DeadLetter, Deliveries, Delivery, NewWebhook, Webhook, WebhookChanges, WebhookDeadLetters, Webhooks } from "../../contract";
import { get, patch, post, remove } from "../../net/http";

export type { DeadLetter, Delivery, Webhook };
export type EventType = Webhook["events"][number];

const at = (webhook: number): string => `api/webhooks/${webhook}`;

/** The webhooks of a room; without one, those of the site. */
export const loadWebhooks = async (room: number | null): Promise<readonly Webhook[]> =>
  (await get<Webhooks>(room === null ? "api/webhooks" : `api/webhooks?room=${room}`)).webhooks;

export const createWebhook = (wanted: NewWebhook): Promise<Webhook> => post<Webhook>("api/webhooks", wanted);
export const changeWebhook = (webhook: number, changes: WebhookChanges): Promise<Webhook> => patch<Webhook>(at(webhook), changes);
export const rotateSecret = (webhook: number): Promise<Webhook> => post<Webhook>(`${at(webhook)}/secret`);
export const deleteWebhook = (webhook: number): Promise<void> => remove(at(webhook));
export const testWebhook = (webhook: number): Promise<Delivery> => post<Delivery>(`${at(webhook)}/test`);

export const loadDeliveries = async (webhook: number): Promise<readonly Delivery[]> =>
  (await get<Deliveries>(`${at(webhook)}/deliveries`)).deliveries;

export const loadDeadLetters = (webhook: number): Promise<WebhookDeadLetters> => get<WebhookDeadLetters>(`${at(webhook)}/dead-letters`);
export const retryAllDeadLetters = (webhook: number): Promise<void> => post(`${at(webhook)}/dead-letters/retry`);
export const retryDeadLetter = (webhook: number, letter: DeadLetter): Promise<void> => post(`${atLetter(webhook, letter)}/retry`);
export const dropDeadLetter = (webhook: number, letter: DeadLetter): Promise<void> => remove(atLetter(webhook, letter));

const atLetter = (webhook: number, letter: DeadLetter): string => `${at(webhook)}/dead-letters/${roomOf(letter)}/${letter.seq}`;

/** The id of the room of a dead letter: its topic is `room:ID`. */
export const roomOf = ({ topic }: DeadLetter): number => Number(topic.slice("room:".length));
