/**
 * Reading a room: where the timeline opens, what is loaded and unloaded when, and what counts as
 * read.
 */
import type { Chat } from "../../chat.svelte";
import { sentence } from "../../net/http";
import { timelineExtended, timelineFailed, timelineMarked, timelineNarrowed, timelineOpened, timelineStarted } from "../../state/load";
import type { Room } from "../../state/model";
import { edgeOf, type MessageItem, type Side, type Timeline } from "../../state/timeline";
import { looking } from "../unread/looking.svelte";
import type { ReadMarker } from "../unread/marker";
import { focus, isInAnotherField } from "./keys";
import { fetchPage, type Where } from "./pages";
import { seqOf, View } from "./view.svelte";

const MOST = 350;
const KEPT = 300;
/**
 * How far ahead of the view messages are loaded, and how far behind it they are kept; in view
 * heights, and in pixels.
 */
const AHEAD = { heights: 1.5, px: 800 };
const RESERVE = { heights: 2.5, px: 2_000 };
/** Where a target message is placed, as a share of the height from the top. */
const SHARE = 0.25;
const MARKED_MS = 2_500;
/** How often a covered timeline is checked again. */
const COVERED_MS = 500;
const NOT_THERE = "This message doesn't exist, or you don't have access to it.";

let loads = 0;

/** The scroll target once the rows are there. */
type Aim = { to: "end" } | { to: "unread"; focus?: boolean } | { to: "message"; seq: number } | { to: "place"; seq: number; at: number };

export class Reader {
  /** The state of loading at either end of the window. */
  older: "idle" | "loading" | "failed" = $state("idle");
  newer: "idle" | "loading" | "failed" = $state("idle");
  /** Another part of the log is being loaded. */
  going: boolean = $state(false);
  /** Why a jump failed. */
  trouble: string = $state("");
  /** The target of the last jump, highlighted for a moment. */
  marked: number | null = $state(null);
  /** The first unread message is above the view and has not been seen. */
  unreadAbove: boolean = $state(false);
  readonly view: View = new View(() => this.timeline?.status === "ready" && !this.timeline.newer);
  #aim: Aim | null = null;
  /** What had the focus when the last jump began. */
  #origin: Element | null = null;
  /** The target message, or the newest, while it is not loaded. */
  #sought: number | "end" | null = null;
  #load = 0;
  /** The `readAt` whose unread line the user has seen. */
  #seen: number | null = null;
  /** A message arrived that the user has not seen; the unread line stands above it. */
  #missed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly chat: Chat,
    readonly room: number,
    readonly reads: ReadMarker,
  ) {}

  get timeline(): Timeline | undefined {
    return this.chat.state.timelines[this.room];
  }

  get #known(): Room | undefined {
    return this.chat.state.rooms[this.room];
  }

  /** The user has opened the room, by the permalink of a message or without one. */
  enter(message: number | undefined): void {
    const { timeline, room } = this;
    if (timeline?.status === "ready") {
      const readAt = this.#known?.unread_count ? (this.#known.read_seq ?? null) : null;
      this.chat.update((state) => timelineMarked(state, room, readAt));
      this.#aim = { to: readAt === null ? "end" : "unread" };
      if (message === undefined && (readAt === null ? timeline.newer : !this.#reaches(readAt))) void this.open();
    }
    if (message !== undefined) void this.jump(message);
  }

  leave(): void {
    this.#load = 0;
    clearTimeout(this.#timer);
    clearTimeout(this.#again);
    this.reads.left(this.room);
  }

  /**
   * Open the timeline at the pending jump target; else at the previous position, in a list that is
   * built anew; else at the first unread message; else at the newest.
   */
  async open(): Promise<void> {
    if (this.#sought !== null) return this.#sought === "end" ? this.toPresent() : this.jump(this.#sought);
    const place = this.view.following ? null : this.view.place();
    const { unread_count: unread, read_seq: read } = this.#known ?? {};
    if (place) return this.#go({ around: place.seq }, { to: "place", ...place });
    if (unread && read !== undefined) return this.#go({ around: read + 1 }, { to: "unread" });
    return this.#go(null, { to: "end" });
  }

  /** Jump to a message and load it if necessary. If it does not exist, stay and report that. */
  async jump(seq: number): Promise<void> {
    this.trouble = "";
    this.#aim = { to: "message", seq };
    this.#origin = document.activeElement;
    if (this.view.row(seq)) {
      this.#stop();
      return this.settled();
    }
    this.#sought = seq;
    return this.#go({ around: seq }, this.#aim);
  }

  async toPresent(): Promise<void> {
    this.trouble = "";
    if (this.timeline?.status === "ready" && !this.timeline.newer) {
      this.#stop();
      this.#aim = null;
      this.view.toEnd();
      return this.#after();
    }
    this.#sought = "end";
    return this.#go(null, { to: "end" });
  }

  /** The user has sent a message: go to the end, and load what is before it as soon as possible. */
  wrote(): void {
    if (this.chat.sync.live || !this.timeline?.newer) return void this.toPresent();
    this.#sought = "end";
    this.#aim = null;
    this.view.toEnd();
  }

  async toUnread(): Promise<void> {
    const readAt = this.timeline?.readAt;
    if (readAt == null) return;
    this.#seen = readAt;
    this.#aim = { to: "unread", focus: true };
    this.#origin = document.activeElement;
    this.#stop();
    if (this.#reaches(readAt)) return this.settled();
    return this.#go({ around: readAt + 1 }, this.#aim);
  }

  /** The connection is back: show what was missed, from the first unread message. */
  resumed(): void {
    if (this.older === "failed") this.older = "idle";
    if (this.newer === "failed") this.newer = "idle";
    if (this.#sought !== null && this.timeline?.status === "ready") return void this.open();
    if (this.timeline?.status !== "ready" || !this.view.following || !this.#known?.unread_count) return;
    const readAt = this.#known.read_seq ?? null;
    this.chat.update((state) => timelineMarked(state, this.room, readAt));
    this.#aim = { to: "unread" };
  }

  /** The user no longer looks: messages from here on are new. */
  away(): void {
    this.reads.flush();
    this.settled();
  }

  /** The list has changed, or whether the user looks at it. */
  settled(): void {
    if (this.timeline?.status !== "ready" || !this.view.shown) return;
    if (this.#known?.unread_count && !this.#attended()) {
      this.#miss();
      // While the user does not look, follow new messages only as far as the first unread one stays
      // in view.
      if (!this.#aim && this.view.following && this.#firstUnread()) this.#aim = { to: "unread" };
    }
    if (!this.#aim || !this.#arrive(this.#aim)) this.view.settle();
    this.#after();
  }

  scrolled(): void {
    if (!this.view.scrolled()) return;
    // Assistive technology scrolls without any other event.
    looking.sign();
    this.#aim = null;
    if (!this.going) this.#sought = null;
    this.#after();
  }

  async more(side: Side): Promise<void> {
    const { timeline, room } = this;
    const edge = timeline && edgeOf(timeline, side);
    if (!timeline || edge === undefined || this[side] === "loading") return;
    this[side] = "loading";
    try {
      const page = await fetchPage(room, side === "older" ? { before: edge } : { after: edge }, this.#known?.floor ?? 0);
      this.chat.update((state) => timelineExtended(state, room, timeline.load, { side, edge }, page));
      this[side] = "idle";
    } catch {
      this[side] = "failed";
    }
  }

  mark(seq: number): void {
    this.marked = seq;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.marked = null), MARKED_MS);
  }

  async #go(where: Where, aim: Aim): Promise<void> {
    const { chat, room } = this;
    const load = (this.#load = ++loads);
    const wanted = aim.to === "message" ? aim.seq : null;
    if (!this.timeline || this.timeline.status === "failed") chat.update((state) => timelineStarted(state, room, load));
    this.going = true;
    try {
      const page = await fetchPage(room, where, this.#known?.floor ?? 0);
      if (this.#load !== load) return;
      if (wanted !== null && !page.items.some((item) => item.kind === "message" && item.seq === wanted)) return this.#stay(NOT_THERE);
      this.#sought = null;
      this.#aim = aim;
      chat.update((state) => timelineOpened(state, room, load, page));
    } catch (error) {
      if (this.#load !== load) return;
      chat.update((state) => timelineFailed(state, room));
      if (this.timeline?.status === "ready") this.#stay(sentence(error));
    } finally {
      if (this.#load === load) this.going = false;
    }
  }

  /** The target is reached: ignore loads that are still under way. */
  #stop(): void {
    this.#load = 0;
    this.#sought = null;
    this.going = false;
  }

  #stay(why: string): void {
    if (why === NOT_THERE) this.#sought = null;
    this.trouble = why;
    this.#aim = null;
    if (this.timeline?.status !== "ready") void this.open();
  }

  /** Scroll to the target. Return true if it was reached. */
  #arrive(aim: Aim): boolean {
    const { view } = this;
    this.#aim = null;
    if (aim.to === "end") {
      view.toEnd();
      return true;
    }
    const seq = aim.to === "unread" ? this.#firstUnread()?.seq : aim.seq;
    const row = seq === undefined ? null : view.row(seq);
    if (seq === undefined || !row) {
      // The missed messages may still be loading.
      if (aim.to === "unread" && this.#known?.unread_count) this.#aim = aim;
      return false;
    }
    if (aim.to === "place") view.hold(row, aim.at);
    else view.show(row, SHARE);
    if (aim.to === "message" || (aim.to === "unread" && aim.focus)) {
      this.mark(seq);
      if (!isInAnotherField(this.#origin)) focus(row);
    }
    return true;
  }

  #after(): void {
    const { timeline, view } = this;
    if (timeline?.status !== "ready" || !view.shown) return;
    this.#trim(timeline);
    for (const side of ["older", "newer"] as const) {
      const ahead = Math.max(AHEAD.px, AHEAD.heights * view.height);
      if (timeline[side] && this[side] === "idle" && view.beyond(side) < ahead) void this.more(side);
    }
    this.#look(timeline);
    clearTimeout(this.#again);
    if (!view.following) return;
    if (!this.#known?.unread_count || this.#attended()) {
      this.#missed = false;
      this.reads.seen(this.room);
    } else if (looking.is()) this.#again = setTimeout(() => this.settled(), COVERED_MS);
  }

  /** The user looks at this window, and nothing covers the newest messages. */
  #attended(): boolean {
    return looking.is() && !this.view.covered();
  }

  #miss(): void {
    if (this.#missed) return;
    this.#missed = true;
    const readAt = this.#known?.read_seq ?? null;
    this.chat.update((state) => timelineMarked(state, this.room, readAt));
  }

  /** Unload messages at the end that is farther from the view. */
  #trim({ items }: Timeline): void {
    if (items.length <= MOST) return;
    const { view } = this;
    const reserve = Math.max(RESERVE.px, RESERVE.heights * view.height);
    const older = view.beyond("older") > view.beyond("newer");
    const row = view.rowAt(older ? -reserve : view.height + reserve);
    const kept = items.at(older ? -KEPT : KEPT - 1);
    if (!row || !kept) return;
    const from = older ? Math.min(kept.seq, seqOf(row)) : 0;
    const to = older ? Number.MAX_SAFE_INTEGER : Math.max(kept.seq, seqOf(row));
    this.chat.update((state) => timelineNarrowed(state, this.room, from, to));
  }

  #look({ readAt }: Timeline): void {
    if (readAt === null || this.#seen === readAt) {
      this.unreadAbove = false;
      return;
    }
    const first = this.#firstUnread();
    const row = first && this.view.row(first.seq);
    const at = row ? this.view.offset(row) : this.#reaches(readAt) ? Number.POSITIVE_INFINITY : -1;
    if (at >= 0 && at < this.view.height && this.#attended()) this.#seen = readAt;
    this.unreadAbove = at < 0;
  }

  /** True if the first unread message is in the window or after it. */
  #reaches(readAt: number): boolean {
    const { items, older } = this.timeline ?? {};
    return older === false || (items?.[0]?.seq ?? Number.POSITIVE_INFINITY) <= readAt;
  }

  #firstUnread(): MessageItem | undefined {
    const { readAt, items } = this.timeline ?? {};
    if (readAt == null || !items || !this.#reaches(readAt)) return undefined;
    return items.find((item) => item.kind === "message" && item.seq > readAt) as MessageItem | undefined;
  }
}
