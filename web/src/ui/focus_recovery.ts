/**
 * Recovers a lost focus. When the focused element disappears, the focus moves to what surrounded it
 * or took its place, else to the composer or the messages. This is a safety net for the whole page:
 * code that knows better has moved the focus by then.
 */
const REGION = "dialog, nav, aside";
const STOPS = "a[href], button:enabled, input:enabled, select:enabled, textarea:enabled, summary, [tabindex]";
const HOMES = ["#composer", "[role=log] article[tabindex='0']"];
const MIDDLE = ".middle, main";

/** The last position of the focus. */
interface FocusPosition {
  readonly at: Element;
  /** The nearest focusable ancestor. */
  readonly around: Element | null;
  readonly region: Element | null;
  /** The index among the tab stops of the region. */
  readonly index: number;
}

/** Track the focus. Return a function that stops. */
export function recoverFocus(): () => void {
  let last: FocusPosition | null = null;
  /** The position before a dialog opened. */
  let below: FocusPosition | null = null;
  let soon: ReturnType<typeof setTimeout> | undefined;

  function focused({ target }: FocusEvent): void {
    if (!(target instanceof Element)) return;
    last = positionOf(target);
    if (last.region?.tagName !== "DIALOG") below = last;
  }

  /** Deferred, so that other code can move the focus first. */
  const look = (): void => void (last && lost() && (soon ??= setTimeout(settle)));

  function settle(): void {
    soon = undefined;
    if (!last || !lost()) return;
    // The element is still there: the user clicked on an empty area.
    if (isThere(last.at)) return void (last = null);
    // On touch screens the focus is invisible, and focusing a field would open the on-screen
    // keyboard.
    if (!matchMedia("(pointer: fine)").matches) return;
    const modal = document.querySelector("dialog[open]");
    const target = successor(last) ?? (modal ? stops(modal)[0] : ((below && successor(below)) ?? home()));
    target?.focus({ preventScroll: target.matches("article") });
  }

  const watch = new MutationObserver(look);
  watch.observe(document.body, { childList: true, subtree: true });
  addEventListener("focusin", focused);
  addEventListener("focusout", look);
  return () => {
    clearTimeout(soon);
    watch.disconnect();
    removeEventListener("focusin", focused);
    removeEventListener("focusout", look);
  };
}

const lost = (): boolean => document.activeElement === document.body;
const isThere = (one: Element | null): one is HTMLElement => one?.isConnected === true && one.checkVisibility();
const stops = (within: Element): HTMLElement[] =>
  [...within.querySelectorAll<HTMLElement>(STOPS)].filter((one) => one.tabIndex >= 0 && isThere(one));

function positionOf(at: Element): FocusPosition {
  const region = at.closest(REGION);
  const index = region ? stops(region).findIndex((one) => one === at) : -1;
  return { at, around: at.parentElement?.closest("[tabindex='0']") ?? null, region, index };
}

function successor({ around, region, index }: FocusPosition): HTMLElement | undefined {
  if (isThere(around)) return around;
  return isThere(region) ? (stops(region).at(Math.max(0, index)) ?? stops(region).at(-1)) : undefined;
}

/**
 * The default target; undefined while the page has none. It is looked up again on the next change.
 */
const home = (): HTMLElement | undefined =>
  HOMES.map((one) => document.querySelector(one)).find(isThere) ??
  stops([...document.querySelectorAll(MIDDLE)].find(isThere) ?? document.body)[0];
