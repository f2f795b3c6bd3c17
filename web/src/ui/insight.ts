/** Keeps what has the focus in sight, ring and all, while what stands around it in a box that scrolls comes and goes. */

/** Until the answer is called. What was out of sight before, since somebody has scrolled away from it, stays there. */
export function keepInSight(box: HTMLElement, content: HTMLElement): () => void {
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
