/**
 * `<hubbub-room room="42">`: shows one room in a host's page. The room is in a frame, so that the
 * styles, keys and scripts of the two pages do not meet. This script imports nothing.
 */
import type { Connect, FromElement, RoomState, ToElement } from "./messages";

const script: string = import.meta.url;
const PAGE = new URL("embed", script);
/** A page that has not answered by then is not there. */
const PATIENCE_MS = 20_000;
const DARK = matchMedia("(prefers-color-scheme: dark)");

// A host's policy may forbid inline styles; it never forbids these.
const sheet = new CSSStyleSheet();
sheet.replaceSync(`
  :host { display: block; block-size: 480px; min-inline-size: 0; }
  :host([hidden]) { display: none; }
  iframe { display: block; inline-size: 100%; block-size: 100%; border: 0; border-radius: inherit; }
  div { display: grid; place-content: center; justify-items: center; gap: 12px; block-size: 100%; font: inherit; text-align: center; }
  p { margin: 0; }
  button { font: inherit; }
`);

/** Return the node around a node, also across shadow roots. */
const around = (node: Node): Node | null => node.parentNode ?? (node as Partial<ShadowRoot>).host ?? null;

type GetToken = () => string | null | Promise<string | null>;

class HubbubRoom extends HTMLElement {
  static readonly observedAttributes = ["room", "aria-label"];

  readonly #root = this.attachShadow({ mode: "open", delegatesFocus: true });
  readonly #theme = new MutationObserver(() => this.#sendTheme());
  #frame: HTMLIFrameElement | null = null;
  #port: MessagePort | null = null;
  #names: readonly string[] = [];
  #sent = "";
  #late: ReturnType<typeof setTimeout> | undefined;
  #token: GetToken | null = null;
  #state: RoomState = "loading";
  #unread = 0;

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [sheet];
  }

  /** Returns a bearer token for the host's user, or null if there is no user. */
  get token(): GetToken | null {
    return this.#token;
  }

  set token(from: GetToken | null) {
    this.#token = from;
    this.refresh();
  }

  get state(): RoomState {
    return this.#state;
  }

  get unread(): number {
    return this.#unread;
  }

  /** Look again who is logged in, and at the custom properties. */
  refresh(): void {
    this.#tell({ type: "refresh", tokens: this.#token !== null });
    this.#sendTheme();
  }

  connectedCallback(): void {
    // A property that was set before this script was loaded hides the accessor.
    if (Object.hasOwn(this, "token")) {
      const { token } = this;
      delete (this as { token?: unknown }).token;
      this.#token = token;
    }
    addEventListener("message", this.#heard);
    DARK.addEventListener("change", this.#sendTheme);
    this.#theme.observe(this, { attributes: true });
    for (let at = around(this); at; at = around(at)) this.#theme.observe(at, { attributes: true });
    this.#theme.observe(document.head, { childList: true });
    this.#show();
  }

  disconnectedCallback(): void {
    removeEventListener("message", this.#heard);
    DARK.removeEventListener("change", this.#sendTheme);
    this.#theme.disconnect();
    this.#clear();
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (before === after || !this.isConnected) return;
    if (name === "room") this.#show();
    else if (this.#frame) this.#frame.title = this.#label();
  }

  #show(): void {
    this.#clear();
    const room = this.getAttribute("room") ?? "";
    if (!/^[1-9]\d{0,15}$/.test(room)) return this.#say("The room attribute of hubbub-room must be the id of a room.");
    const frame = document.createElement("iframe");
    frame.title = this.#label();
    frame.allow = "clipboard-write";
    frame.src = `${PAGE.href}#room/${room}`;
    this.#frame = frame;
    this.#root.replaceChildren(frame);
    this.#late = setTimeout(() => {
      this.#clear();
      this.#changed("away");
      this.#say("The chat can't be reached.", "Try again");
    }, PATIENCE_MS);
    this.#changed("loading");
  }

  #say(words: string, again?: string): void {
    const [box, text] = [document.createElement("div"), document.createElement("p")];
    text.textContent = words;
    text.setAttribute("role", "alert");
    box.append(text);
    if (again) {
      const button = document.createElement("button");
      button.textContent = again;
      button.onclick = () => this.#show();
      box.append(button);
    }
    this.#root.replaceChildren(box);
  }

  #clear(): void {
    clearTimeout(this.#late);
    this.#port?.close();
    this.#port = this.#frame = null;
    this.#root.replaceChildren();
  }

  /** The page in the frame is there, also after it was loaded again. */
  #heard = ({ source, origin, data }: MessageEvent<unknown>): void => {
    const frame = this.#frame?.contentWindow;
    if (!frame || source !== frame || origin !== PAGE.origin || (data as { hubbub?: unknown } | null)?.hubbub !== "ready") return;
    clearTimeout(this.#late);
    this.#port?.close();
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#sent = "";
    port1.onmessage = (message: MessageEvent<ToElement>) => this.#told(message.data, port1);
    frame.postMessage({ hubbub: "connect", tokens: this.#token !== null } satisfies Connect, PAGE.origin, [port2]);
  };

  #told(message: ToElement, port: MessagePort): void {
    if (message.type === "properties") {
      this.#names = message.names;
      this.#sendTheme();
    } else if (message.type === "token?") {
      const answer = (token?: string | null): void => port.postMessage({ type: "token", id: message.id, token } satisfies FromElement);
      // `async` turns what the function throws into a rejection.
      (async () => (await this.#token?.()) ?? null)().then(answer, () => answer());
    } else if (message.type === "state") {
      if (this.#frame) this.#frame.title = this.#label(message.name);
      this.#changed(message.state);
    } else {
      this.#unread = message.count;
      this.#fire("hubbub-unread", { count: message.count, mentions: message.mentions });
    }
  }

  #sendTheme = (): void => {
    if (!this.#port || !this.#names.length) return;
    const style = getComputedStyle(this);
    const values: Record<string, string> = {};
    for (const name of this.#names) {
      const value = style.getPropertyValue(name).trim();
      if (value) values[name] = value;
    }
    const schemes = style.colorScheme.split(" ");
    const theme: FromElement = { type: "theme", dark: schemes.includes("dark") && (!schemes.includes("light") || DARK.matches), values };
    const text = JSON.stringify(theme);
    if (text === this.#sent) return;
    this.#sent = text;
    this.#tell(theme);
  };

  #changed(state: RoomState): void {
    if (state === this.#state && state !== "loading") return;
    this.#state = state;
    this.#fire("hubbub-state", { state });
  }

  #fire(type: string, detail: object): void {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }

  #tell(message: FromElement): void {
    this.#port?.postMessage(message);
  }

  #label(name?: string): string {
    return this.getAttribute("aria-label") ?? (name ? `Chat: ${name}` : "Chat");
  }
}

if (!customElements.get("hubbub-room")) customElements.define("hubbub-room", HubbubRoom);
