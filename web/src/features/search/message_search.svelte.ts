/** A search for messages: its query, its results, and how they stay current. */
import type { Chat } from "../../chat.svelte";
import type { Indexing, SearchResults } from "../../contract";
import { MAX_FOUND, MAX_SEARCH } from "../../limits";
import { get, Refusal, sentence } from "../../net/http";
import { followed, foundOf, keyOf, type Found } from "./found";
import { queryOf, sameChip, taken, withChip, type Chip } from "./query";

const PATIENCE_MS = 250;
const PAGE = 20;
/** A page may be empty although more follow: how many are asked for before the user is. */
const EMPTY_PAGES = 5;
const RETRY_MS = 5_000;

export class MessageSearch {
  chips: readonly Chip[] = $state.raw([]);
  text: string = $state("");
  results: readonly Found[] = $state.raw([]);
  /** Filters that name a user or a room which the server does not know. */
  unknown: readonly Chip[] = $state.raw([]);
  /** The query of the shown results; null before the first answer. */
  answered: string | null = $state.raw(null);
  busy: boolean = $state(false);
  more: boolean = $state(false);
  /** Why the last request failed. */
  trouble: string = $state("");
  indexing: Indexing | null = $state.raw(null);
  /** The result that was opened last. */
  opened: string | null = $state(null);
  #next: string | undefined;
  /** The page that could not be loaded; undefined for the first. */
  #failedAt: string | undefined;
  #asked = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly chat: Chat) {}

  readonly query: string = $derived(queryOf(this.chips, this.text));

  /** Replace the query, as a user would type it. */
  set(text: string): void {
    this.chips = [];
    this.type(text, true);
  }

  /** Start anew with one filter. */
  only(chip: Chip): void {
    this.chips = [chip];
    this.text = "";
    this.#changed(true);
  }

  /** The text has changed: complete filters become chips. `final` if it is not being typed. */
  type(text: string, final = false): void {
    const found = taken(text, final);
    this.text = found.text;
    for (const chip of found.chips) this.chips = withChip(this.chips, chip);
    this.#changed(final);
  }

  add(chip: Chip, text = this.text): void {
    this.chips = withChip(this.chips, chip);
    this.text = text;
    this.#changed(true);
  }

  drop(chip: Chip): void {
    this.chips = this.chips.filter((one) => !sameChip(one, chip));
    this.#changed(true);
  }

  isUnknown(chip: Chip): boolean {
    return this.unknown.some((one) => sameChip(one, chip));
  }

  /** Search now, or repeat the request that failed. */
  now(): void {
    clearTimeout(this.#timer);
    if (this.query.trim()) void this.#ask(this.answered === this.query ? this.#failedAt : undefined);
  }

  showMore(): void {
    if (!this.busy && this.#next !== undefined) void this.#ask(this.#next);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#asked += 1;
    this.busy = false;
  }

  /** The state has changed: results follow what happens to their messages. */
  follow(): void {
    const now = followed(this.results, this.chat.state, this.chips);
    if (now === null) this.#changed(false);
    else this.results = now;
  }

  #changed(atOnce: boolean): void {
    clearTimeout(this.#timer);
    if (!this.query.trim()) return this.#clear();
    this.#timer = setTimeout(() => void this.#ask(), atOnce ? 0 : PATIENCE_MS);
  }

  #clear(): void {
    this.stop();
    Object.assign(this, { results: [], unknown: [], answered: null, more: false, trouble: "", indexing: null, opened: null });
  }

  async #ask(before?: string, limit = PAGE): Promise<void> {
    const number = (this.#asked += 1);
    const { query } = this;
    const { changes } = this.chat.state;
    this.busy = true;
    this.trouble = "";
    try {
      const page = await this.#page(query, before, limit, () => number === this.#asked);
      if (number !== this.#asked || !page) return;
      const found = page.results.map((one) => foundOf(one, changes));
      this.results = before === undefined ? found : [...this.results, ...found];
      [this.answered, this.more, this.#next] = [query, page.more, page.next];
      this.indexing = page.indexing ?? null;
      this.unknown = page.query.filters.filter(({ known }) => !known).map(({ name, value }) => ({ name, value }));
      this.follow();
    } catch (error) {
      if (number === this.#asked) this.#failed(error, before);
    } finally {
      if (number === this.#asked) this.busy = false;
    }
  }

  async #page(query: string, before: string | undefined, limit: number, wanted: () => boolean): Promise<SearchResults | null> {
    let [from, page] = [before, null as SearchResults | null];
    for (let asked = 0; asked < EMPTY_PAGES && wanted(); asked += 1) {
      const place = from === undefined ? "" : `&before=${from}`;
      const text = encodeURIComponent([...query].slice(0, MAX_SEARCH).join(""));
      page = await get<SearchResults>(`api/search?q=${text}&typing=true&limit=${limit}${place}`);
      if (page.results.length || !page.more) break;
      from = page.next;
    }
    return page;
  }

  #failed(error: unknown, before: string | undefined): void {
    this.#failedAt = before;
    const isBusy = error instanceof Refusal && error.code === "rate_limited";
    this.trouble = isBusy ? "" : sentence(error);
    // Searches in a row, or a server that is busy: the user need not do anything.
    if (isBusy) this.#timer = setTimeout(() => void this.#ask(before), (error.retryAfter ?? RETRY_MS / 1_000) * 1_000);
  }

  /** The connection is back. What happened meanwhile may not have been received as events. */
  resumed(): void {
    if (this.query.trim()) void this.#ask(undefined, Math.min(Math.max(this.results.length, PAGE), MAX_FOUND));
  }

  open(found: Found): void {
    this.opened = keyOf(found);
  }
}

const searches = new WeakMap<Chat, MessageSearch>();

/** The search of this chat, which keeps its query and results while the panel is closed. */
export function searchOf(chat: Chat): MessageSearch {
  const found = searches.get(chat) ?? new MessageSearch(chat);
  searches.set(chat, found);
  return found;
}
