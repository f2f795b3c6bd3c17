/**
 * The focus is never lost: where what had it goes away, it goes to what stands around that or has taken its place, else to
 * where one writes or reads. This is a net for all of the page: whoever knows better has moved the focus by then.
 */
const REGION = "dialog, nav, aside";
const STOPS = "a[href], button:enabled, input:enabled, select:enabled, textarea:enabled, summary, [tabindex]";
const HOMES = ["#composer", "[role=log] article[tabindex='0']"];
const MIDDLE = ".middle, main";

/** Where the focus was. */
interface Place {
  readonly at: Element;
  /** The next thing around it that can have the focus. */
  readonly around: Element | null;
  readonly region: Element | null;
  /** As its how manieth stop. */
  readonly index: number;
}

/** Follows the focus until the answer is called. */
export function recoverFocus(): () => void {
  let last: Place | null = null;
  /** Where it was before a dialog opened. */
  let below: Place | null = null;
  let soon: ReturnType<typeof setTimeout> | undefined;

  function focused({ target }: FocusEvent): void {
    if (!(target instanceof Element)) return;
    last = placeOf(target);
    if (last.region?.tagName !== "DIALOG") below = last;
  }

  /** A moment later, so that everybody else has had a say. */
  const look = (): void => void (last && lost() && (soon ??= setTimeout(settle)));

  function settle(): void {
    soon = undefined;
    if (!last || !lost()) return;
    // Whoever has pointed at nothing wanted that.
    if (isThere(last.at)) return void (last = null);
    // On a touch screen nobody sees where the focus is, and a field would call up the keyboard.
    if (!matchMedia("(pointer: fine)").matches) return;
    const modal = document.querySelector("dialog[open]");
    const way = heir(last) ?? (modal ? stops(modal)[0] : ((below && heir(below)) ?? home()));
    way?.focus({ preventScroll: way.matches("article") });
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
const stops = (within: Element): HTMLElement[] => [...within.querySelectorAll<HTMLElement>(STOPS)].filter((one) => one.tabIndex >= 0 && isThere(one));

function placeOf(at: Element): Place {
  const region = at.closest(REGION);
  const index = region ? stops(region).findIndex((one) => one === at) : -1;
  return { at, around: at.parentElement?.closest("[tabindex='0']") ?? null, region, index };
}

function heir({ around, region, index }: Place): HTMLElement | undefined {
  if (isThere(around)) return around;
  return isThere(region) ? stops(region).at(Math.max(0, index)) ?? stops(region).at(-1) : undefined;
}

/** Undefined while the middle of the page has nothing yet that can have the focus: it is asked again when it changes. */
const home = (): HTMLElement | undefined =>
  HOMES.map((one) => document.querySelector(one)).find(isThere) ?? stops([...document.querySelectorAll(MIDDLE)].find(isThere) ?? document.body)[0];
