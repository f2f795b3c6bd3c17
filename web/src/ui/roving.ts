/**
 * A list is one tab stop, and arrow keys move in it (ARIA Authoring Practices, "Managing focus
 * within components using a roving tabindex"). Its stops are the elements with `data-rove`, which
 * may come and go.
 */
import { composes } from "./input_method";

const STEPS: Readonly<Record<string, (at: number, last: number) => number>> = {
  ArrowDown: (at, last) => Math.min(at + 1, last),
  ArrowUp: (at) => Math.max(at - 1, 0),
  Home: () => 0,
  End: (_, last) => last,
};

/**
 * An attachment for the element that holds the list. The tab stop is the last focused item, at
 * first the one with `aria-current`.
 */
export function roving(list: HTMLElement): () => void {
  let last: HTMLElement | null = null;
  let place = 0;
  const stops = (): HTMLElement[] => [...list.querySelectorAll<HTMLElement>("[data-rove]")].filter((one) => one.checkVisibility());

  function settle(): void {
    const all = stops();
    // If the focused item disappeared, focus the one that took its place.
    if (last && !last.isConnected) {
      if (document.activeElement === document.body) all[Math.min(place, all.length - 1)]?.focus();
      last = null;
    }
    const stop = last ?? all.find((one) => one.ariaCurrent) ?? all[0];
    for (const one of all) one.tabIndex = one === stop ? 0 : -1;
  }

  function focused({ target }: FocusEvent): void {
    const found = stops().findIndex((one) => one === target);
    if (found < 0) return;
    [last, place] = [target as HTMLElement, found];
    settle();
  }

  function left({ relatedTarget }: FocusEvent): void {
    const stays = list.contains(relatedTarget as Node | null);
    if (!stays && last?.isConnected && list.querySelector("[aria-current]")) last = null;
    if (last === null) settle();
  }

  function keyed(event: KeyboardEvent): void {
    const all = stops();
    const at = all.indexOf(event.target as HTMLElement);
    const step = STEPS[event.key];
    if (at < 0 || !step || composes(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    all[step(at, all.length - 1)]?.focus();
  }

  const watch = new MutationObserver(settle);
  watch.observe(list, { childList: true, subtree: true, attributeFilter: ["aria-current"] });
  list.addEventListener("focusin", focused);
  list.addEventListener("focusout", left);
  list.addEventListener("keydown", keyed);
  settle();
  return () => {
    watch.disconnect();
    list.removeEventListener("focusin", focused);
    list.removeEventListener("focusout", left);
    list.removeEventListener("keydown", keyed);
  };
}
