/**
 * Keeps the focused element and its ring in view while content around it in a scrolling box
 * changes.
 */

/**
 * Start. Return a function that stops. An element that the user has scrolled out of view stays
 * there.
 */
export function keepInView(box: HTMLElement, content: HTMLElement): () => void {
  let seen = true;

  const focused = (): Element | null => (content.contains(document.activeElement) ? document.activeElement : null);
  function look(): void {
    const at = focused()?.getBoundingClientRect();
    const { top, bottom } = box.getBoundingClientRect();
    seen = at !== undefined && at.bottom > top && at.top < bottom;
  }

  const watch = new ResizeObserver(() => {
    if (seen) focused()?.scrollIntoView({ block: "nearest" });
    look();
  });
  watch.observe(box);
  watch.observe(content);
  box.addEventListener("scroll", look, { passive: true });
  box.addEventListener("focusin", look);
  return () => {
    watch.disconnect();
    box.removeEventListener("scroll", look);
    box.removeEventListener("focusin", look);
  };
}
