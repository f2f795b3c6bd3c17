/** The element in the host's page around this page (`element/room.ts`). */
import type { Connect, FromElement, ToElement } from "../element/messages";
import { Refusal } from "../net/http";

/** How long to wait for the element: a host may use a frame without it. */
const PATIENCE_MS = 2_000;
const TOKEN_MS = 10_000;

export interface SurroundingEvents {
  /** The element is there, or has changed. `tokens`: the host's page has tokens. */
  met(tokens: boolean): void;
  theme(dark: boolean, values: Readonly<Record<string, unknown>>): void;
}

export class Surrounding {
  #port: MessagePort | null = null;
  #asked = 0;
  readonly #answers = new Map<number, (token: string | null | undefined) => void>();

  constructor(
    /** The origins of pages that may show this page. */
    readonly origins: readonly string[],
    readonly events: SurroundingEvents,
  ) {}

  /** Wait until the element has connected, or a moment if there is none. */
  meet(): Promise<void> {
    if (parent === window) return Promise.resolve();
    return new Promise((met) => {
      setTimeout(met, PATIENCE_MS);
      addEventListener("message", ({ source, origin, data, ports: [port] }: MessageEvent<unknown>) => {
        if (source !== parent || !this.origins.includes(origin) || !port || !isConnect(data)) return;
        this.#port?.close();
        this.#port = port;
        port.onmessage = (message: MessageEvent<FromElement>) => this.#heard(message.data);
        this.events.met(data.tokens);
        met();
      });
      // It says nothing but that this page is there.
      parent.postMessage({ hubbub: "ready" }, "*");
    });
  }

  tell(message: ToElement): void {
    this.#port?.postMessage(message);
  }

  /** Ask the host's page for a token. */
  token = (): Promise<string | null> =>
    new Promise((answer, fail) => {
      const id = ++this.#asked;
      const late = setTimeout(() => this.#answers.get(id)?.(undefined), TOKEN_MS);
      this.#answers.set(id, (token) => {
        clearTimeout(late);
        this.#answers.delete(id);
        if (token === undefined) fail(new Refusal("unreachable", "Can't log in to the chat at the moment. Try again."));
        else answer(token || null);
      });
      this.tell({ type: "token?", id });
    });

  #heard(message: FromElement): void {
    if (message.type === "theme") this.events.theme(message.dark, message.values);
    else if (message.type === "token") this.#answers.get(message.id)?.(message.token);
    else this.events.met(message.tokens);
  }
}

const isConnect = (data: unknown): data is Connect => (data as Partial<Connect> | null)?.hubbub === "connect";
