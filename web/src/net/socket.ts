/** Runs the link machine with a real WebSocket, clock and timer. Independent of the chat. */
import { idle, stepLink, type LinkEffect, type LinkInput, type LinkState } from "./link";

export interface SocketEvents {
  /** The connection is open; no frame has been sent. */
  opened(): void;
  heard(text: string): void;
  /** The connection is lost; unanswered commands may or may not have arrived. */
  lost(): void;
  changed(state: LinkState): void;
}

export class Socket {
  #state: LinkState = idle;
  #socket: WebSocket | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly url: string,
    readonly protocol: string,
    readonly ping: string,
    readonly events: SocketEvents,
  ) {}

  start = (): void => this.#step({ type: "start" });
  stop = (): void => this.#step({ type: "stop" });
  wake = (): void => this.#step({ type: "wake" });
  restart = (): void => this.#step({ type: "restart" });
  settled = (): void => this.#step({ type: "settled" });

  /**
   * Send a frame. Return true if an open connection accepted it, which does not mean that it
   * arrived.
   */
  send(text: string): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(text);
    return true;
  }

  #step(input: LinkInput): void {
    const before = this.#state;
    const [state, effects] = stepLink(before, input, Date.now());
    this.#state = state;
    for (const effect of effects) this.#run(effect);
    const { phase, retryAt, askedAt } = before;
    if (state.phase !== phase || state.retryAt !== retryAt || state.askedAt !== askedAt) this.events.changed(this.#state);
  }

  #run(effect: LinkEffect): void {
    switch (effect.type) {
      case "open":
        return this.#open();
      case "ping":
        return void this.send(this.ping);
      case "drop":
        return this.#drop();
      case "opened":
        return this.events.opened();
      case "lost":
        return this.events.lost();
      case "timer":
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#step({ type: "timer" }), Math.max(0, effect.at - Date.now()));
        return;
      case "no timer":
        return clearTimeout(this.#timer);
    }
  }

  #open(): void {
    const socket = new WebSocket(this.url, this.protocol);
    this.#socket = socket;
    const mine = (run: () => void) => () => {
      if (this.#socket === socket) run();
    };
    socket.onopen = mine(() => this.#step({ type: "opened" }));
    socket.onmessage = (message: MessageEvent<unknown>) => {
      if (this.#socket !== socket) return;
      this.#step({ type: "heard" });
      if (typeof message.data === "string") this.events.heard(message.data);
    };
    socket.onclose = ({ code, reason }) => {
      if (this.#socket === socket) this.#step({ type: "closed", code, reason, random: Math.random() });
    };
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }
}
