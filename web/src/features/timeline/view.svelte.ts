/**
 * The scroll position in a long list that changes everywhere: either the end, which is followed, or
 * a row that keeps its place on the screen, whatever appears, grows or disappears above or below
 * it. The browser's own scroll anchoring is off; this replaces it. It knows rows by `data-seq` and
 * nothing about messages.
 *
 * Three things change the position. The user scrolls: `scrolled` chooses new anchor rows. We change
 * the list: `prepare` before, `settle` after. A row changes its height by itself: a ResizeObserver
 * calls `settle` before the screen is painted.
 */
interface Anchor {
  readonly row: HTMLElement;
  readonly seq: number;
  /** Where its upper edge belongs, in pixels below that of the list. */
  readonly at: number;
}

const NEAR_PX = 48;
/** Several anchors, since a row can disappear. */
const HELD = 6;
/** The height of what covers the upper end. */
const MARGIN_PX = 44;
/**
 * Where to probe for something that covers the list: shares of its width, and pixels above its
 * lower edge.
 */
const SHARES = [0.25, 0.5, 0.75];
const COVER_PX = 12;

export class View {
  /** The end is in view and is followed when it moves. */
  following: boolean = $state(true);
  #list: HTMLElement | undefined;
  #content: HTMLElement | undefined;
  #rows: HTMLCollectionOf<Element> | undefined;
  #anchors: readonly Anchor[] = [];
  /** The last scroll position that was processed. */
  #top = 0;
  /**
   * Zero while a narrow screen shows another part. Taken from the observer: reading it costs a
   * layout.
   */
  #height = 0;

  /** `present` returns true if the list ends with the newest message. */
  constructor(readonly present: () => boolean) {}

  /**
   * `changed` is called when heights have changed, before the screen is painted; it must call
   * `settle`.
   */
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

  /** Process a scroll event. Return true if the user scrolled, rather than this class. */
  scrolled(): boolean {
    const list = this.#list;
    if (!list || !this.shown || !this.#rows?.length || Math.abs(list.scrollTop - this.#top) < 1) return false;
    const moved = list.scrollTop - this.#top;
    // A row may have grown since the last look; subtract that part from the user's movement.
    const held = this.#held();
    const grown = held ? this.offset(held.row) - held.at + moved : 0;
    if (!this.following && Math.abs(grown) >= 1) list.scrollTop += grown;
    this.#top = list.scrollTop;
    // Only scrolling up ends the following: a distant end may just mean that many rows arrived at
    // once.
    this.following = this.present() && (this.beyond("newer") < NEAR_PX || (this.following && moved > 0));
    this.#hold();
    return true;
  }

  /** Call before the list changes. */
  prepare(): void {
    this.scrolled();
  }

  /** Call after anything has changed. */
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

  /** Scroll a row to `share` of the height, or as near as possible, and anchor it. */
  show(row: HTMLElement, share: number): void {
    this.hold(row, Math.max(MARGIN_PX, this.#height * share - row.offsetHeight * share));
  }

  /** Anchor a row at a position, in pixels below the list's upper edge. */
  hold(row: HTMLElement, at: number): void {
    const list = this.#list;
    if (!list) return;
    list.scrollTop += this.offset(row) - at;
    this.#top = list.scrollTop;
    this.following = this.present() && this.beyond("newer") < NEAR_PX;
    this.#anchors = [{ row, seq: seqOf(row), at: this.offset(row) }];
  }

  /** Scroll as little as possible to show a row. */
  reveal(row: HTMLElement): void {
    const at = this.offset(row);
    const lowest = this.#height - row.offsetHeight - 8;
    if (at < MARGIN_PX || lowest < MARGIN_PX) this.hold(row, MARGIN_PX);
    else if (at > lowest) this.hold(row, lowest);
  }

  /** Return the anchor row, to restore the position in a list that is built anew. */
  place(): { seq: number; at: number } | null {
    return this.#anchors[0] ?? null;
  }

  row(seq: number): HTMLElement | null {
    return this.#content?.querySelector<HTMLElement>(`[data-seq="${seq}"]`) ?? null;
  }

  /** Return the row at a distance from the upper edge of the view. */
  rowAt(px: number): HTMLElement | null {
    return this.#nth(Math.min(this.#firstBelow(px), (this.#rows?.length ?? 0) - 1));
  }

  /** Return the row `by` rows away, or the last one in that direction. */
  next(row: HTMLElement, by: number): HTMLElement {
    const rows = [...(this.#rows ?? [])];
    return (rows[Math.min(rows.length - 1, Math.max(0, rows.indexOf(row) + by))] ?? row) as HTMLElement;
  }

  /** Return how many pixels of the list are out of view on that side. */
  beyond(side: "older" | "newer"): number {
    const list = this.#list;
    if (!list) return 0;
    return side === "older" ? list.scrollTop : list.scrollHeight - list.scrollTop - this.#height;
  }

  /**
   * True if something covers the lower end along its whole width: a dialog, the list of people, a
   * menu on a phone.
   */
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

  /** Return the distance of a row below the upper edge of the view. */
  offset(row: Element): number {
    return row.getBoundingClientRect().top - (this.#list?.getBoundingClientRect().top ?? 0);
  }

  #held(): Anchor | undefined {
    return this.#anchors.find(({ row }) => row.isConnected);
  }

  /**
   * Anchor the first fully visible rows. Not the very first row of the list, which may lose its
   * header when a page is added above it.
   */
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
