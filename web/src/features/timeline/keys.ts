/** Keyboard navigation in the message list: one message has the focus, and keys move it. */
import { composes } from "../../ui/input_method";
import type { View } from "./view.svelte";

const STEPS: Readonly<Record<string, number>> = { ArrowUp: -1, k: -1, ArrowDown: 1, j: 1 };
/**
 * The part of the view's height that a page key moves, so that the previous position stays in view.
 */
const PAGE = 0.8;

/** Move the focus from the current row. Return true if the key was handled. */
export function move(view: View, event: KeyboardEvent, toPresent: () => void): boolean {
  const target = event.target as Element;
  const row = target.closest<HTMLElement>(".timeline-row");
  // A focused link or button inside a message keeps its own keys.
  if (!row || !target.matches(".timeline-row > article") || event.ctrlKey || event.metaKey || event.altKey || composes(event)) return false;
  const step = STEPS[event.key];
  if (step !== undefined) return go(view, view.next(row, step));
  switch (event.key) {
    case "Home":
      return go(view, view.next(row, Number.NEGATIVE_INFINITY));
    case "End":
      go(view, view.next(row, Number.POSITIVE_INFINITY));
      toPresent();
      return true;
    case "PageUp":
      return go(view, page(view, row, -PAGE));
    case "PageDown":
      return go(view, page(view, row, PAGE));
    case "Escape":
      document.getElementById("composer")?.focus();
      return true;
    default:
      return false;
  }
}

/** Make one message a tab stop: the last focused one, or else the lowest in view. */
export function stop(view: View, list: HTMLElement): void {
  if (list.contains(document.activeElement) && document.activeElement !== list) return;
  const below = view.rowAt(view.height);
  const article = (below && (view.following ? below : view.next(below, -1)))?.querySelector<HTMLElement>(":scope > article");
  if (article) only(list, article);
}

/** Move the focus to this row's message, which makes the message the tab stop. */
export function focus(row: Element): void {
  row.querySelector<HTMLElement>(":scope > article")?.focus({ preventScroll: true });
}

/**
 * Return whether the user has gone to a text field since `before` had the focus. The composer does
 * not count: it takes the focus by itself when a room opens.
 */
export function isInAnotherField(before: Element | null): boolean {
  const now = document.activeElement;
  return now !== before && before?.isConnected === true && now !== null && now.matches("input, textarea") && now.id !== "composer";
}

/** Make a message that got the focus, also by a click, the only tab stop. */
export function focused({ currentTarget, target }: FocusEvent & { currentTarget: Element }): void {
  if (target instanceof HTMLElement && target.matches(".timeline-row > article")) only(currentTarget, target);
}

function only(list: Element, article: HTMLElement): void {
  for (const other of list.querySelectorAll<HTMLElement>(".timeline-row > article[tabindex='0']")) other.tabIndex = -1;
  article.tabIndex = 0;
}

function page(view: View, row: HTMLElement, by: number): HTMLElement {
  const found = view.rowAt(view.offset(row) + by * view.height) ?? row;
  return found === row ? view.next(row, Math.sign(by)) : found;
}

function go(view: View, row: HTMLElement): boolean {
  view.reveal(row);
  focus(row);
  return true;
}
