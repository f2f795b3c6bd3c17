/**
 * Where one is in a long list that changes everywhere: at its end, which is followed, or at a row that stays where it
 * is on the screen, whatever appears, grows or goes above or below it. The browser's own anchoring is off: this is the
 * only one. Knows rows by `data-seq` and nothing of messages.
 *
 * Three things change a position. The person scrolls: `scrolled` takes new rows to hold on to. The list is changed by
 * our own hand: `prepare` before, `settle` after it. A row changes its height by itself: a ResizeObserver calls
 * `settle` before the screen is painted.
 */
interface Anchor {
  readonly row: HTMLElement;
  readonly seq: number;
  /** Where its upper edge belongs, in pixels below that of the list. */
  readonly at: number;
}

const NEAR_PX = 48;
/** Several are held, since a row can go. */
const HELD = 6;
/** What hangs over the upper end. */
const MARGIN_PX = 44;
/** Where it is probed for something that covers it: shares of its width, and pixels above its lower edge. */
const SHARES = [0.25, 0.5, 0.75];
const COVER_PX = 12;

export class View {
  /** One sees the end, and goes on seeing it when it moves. */
  following: boolean = $state(true);
  #list: HTMLElement | undefined;
  #content: HTMLElement | undefined;
  #rows: HTMLCollectionOf<Element> | undefined;
  #anchors: readonly Anchor[] = [];
  /** The last position of the scroll bar that is accounted for. */
  #top = 0;
  /** Zero while a narrow screen shows something else. Known from the observer: to ask costs a layout. */
  #height = 0;

  /** `present`: the list ends with the newest there is. */
  constructor(readonly present: () => boolean) {}

  /** `changed` is called when heights have changed, before the screen is painted; it calls `settle`. */
  attach(list: HTMLElement, content: HTMLElement, changed: () => void): () => void {
    [this.#list, this.#content, this.#rows] = [list, content, content.getElementsByClassName("timeline-row")];
    const watch = new ResizeObserver(() => {
      this.#height = list.clientHeight;
      changed();
    });
    watch.observe(list);
    watch.observe(content);
    return () => watch.disconnect();
  }

  get shown(): boolean {
    return this.#height > 0;
  }

  /** True if the person has moved, rather than we. */
  scrolled(): boolean {
    const list = this.#list;
    if (!list || !this.shown || !this.#rows?.length || Math.abs(list.scrollTop - this.#top) < 1) return false;
    const moved = list.scrollTop - this.#top;
    // A row may have grown since we looked last; its part is not the person's doing.
    const held = this.#held();
    const grown = held ? this.offset(held.row) - held.at + moved : 0;
    if (!this.following && Math.abs(grown) >= 1) list.scrollTop += grown;
    this.#top = list.scrollTop;
    // Only going up ends the following: that the end is far away may just mean that many lines came at once.
    this.following = this.present() && (this.beyond("newer") < NEAR_PX || (this.following && moved > 0));
    this.#hold();
    return true;
  }

  /** Before the list changes. */
  prepare(): void {
    this.scrolled();
  }

  /** After anything has changed. */
  settle(): void {
    const list = this.#list;
    if (!list || !this.shown) return;
    if (this.following && this.present()) {
      list.scrollTop = list.scrollHeight;
    } else {
      const held = this.#held();
      const off = held ? this.offset(held.row) - held.at : 0;
      if (Math.abs(off) >= 0.5) list.scrollTop += off;
      this.following = this.present() && this.beyond("newer") < NEAR_PX;
    }
    this.#top = list.scrollTop;
    if (!this.#held()) this.#hold();
  }

  toEnd(): void {
    this.following = this.present();
    if (!this.#list) return;
    this.#list.scrollTop = this.#top = this.#list.scrollHeight;
    this.#top = this.#list.scrollTop;
    this.#hold();
  }

  /** Bring a row to `share` of the height, or as near as the list goes, and hold on to it. */
  show(row: HTMLElement, share: number): void {
    this.hold(row, Math.max(MARGIN_PX, this.#height * share - row.offsetHeight * share));
  }

  /** Hold a row at a place. */
  hold(row: HTMLElement, at: number): void {
    const list = this.#list;
    if (!list) return;
    list.scrollTop += this.offset(row) - at;
    this.#top = list.scrollTop;
    this.following = this.present() && this.beyond("newer") < NEAR_PX;
    this.#anchors = [{ row, seq: seqOf(row), at: this.offset(row) }];
  }

  /** Move as little as it takes to see a row. */
  reveal(row: HTMLElement): void {
    const at = this.offset(row);
    const lowest = this.#height - row.offsetHeight - 8;
    if (at < MARGIN_PX || lowest < MARGIN_PX) this.hold(row, MARGIN_PX);
    else if (at > lowest) this.hold(row, lowest);
  }

  /** The row one is at, for coming back to it in a list made anew. */
  place(): { seq: number; at: number } | null {
    return this.#anchors[0] ?? null;
  }

  row(seq: number): HTMLElement | null {
    return this.#content?.querySelector<HTMLElement>(`[data-seq="${seq}"]`) ?? null;
  }

  /** The row at a distance from the upper edge of what one sees, by its place in the list. */
  rowAt(px: number): HTMLElement | null {
    return this.#nth(Math.min(this.#firstBelow(px), (this.#rows?.length ?? 0) - 1));
  }

  /** The neighbour of a row; itself at either end. */
  next(row: HTMLElement, by: number): HTMLElement {
    const rows = [...(this.#rows ?? [])];
    return (rows[Math.min(rows.length - 1, Math.max(0, rows.indexOf(row) + by))] ?? row) as HTMLElement;
  }

  /** How many pixels of the list are out of sight on that side. */
  beyond(side: "older" | "newer"): number {
    const list = this.#list;
    if (!list) return 0;
    return side === "older" ? list.scrollTop : list.scrollHeight - list.scrollTop - this.#height;
  }

  /** True if something else lies over its lower end, all across it: a dialog, the list of people, a menu on a phone. */
  covered(): boolean {
    const list = this.#list;
    if (!list) return false;
    const { left, bottom, width } = list.getBoundingClientRect();
    return SHARES.every((share) => {
      const there = document.elementFromPoint(left + width * share, bottom - COVER_PX);
      return there !== null && !list.contains(there);
    });
  }

  get height(): number {
    return this.#height;
  }

  /** Where a row is, below the upper edge of what one sees. */
  offset(row: Element): number {
    return row.getBoundingClientRect().top - (this.#list?.getBoundingClientRect().top ?? 0);
  }

  #held(): Anchor | undefined {
    return this.#anchors.find(({ row }) => row.isConnected);
  }

  /** Take the first rows one sees all of. Not the very first of the list, which may lose its head to a page above it. */
  #hold(): void {
    const from = Math.max(1, this.#firstBelow(0));
    const rows = Array.from({ length: HELD }, (_, at) => this.#nth(from + at) ?? this.#nth(from - 1 - at));
    this.#anchors = rows.flatMap((row) => (row ? [{ row, seq: seqOf(row), at: this.offset(row) }] : []));
  }

  #nth(at: number): HTMLElement | null {
    return (this.#rows?.item(at) as HTMLElement | null | undefined) ?? null;
  }

  #firstBelow(px: number): number {
    let [low, high] = [0, this.#rows?.length ?? 0];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.offset(this.#nth(middle) as HTMLElement) < px) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export const seqOf = (row: Element): number => Number(row.getAttribute("data-seq"));
