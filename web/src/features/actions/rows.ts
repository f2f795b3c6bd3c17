/** The rows of the timeline, as elements. */
export { focus } from "../timeline/keys";
export { seqOf } from "../timeline/view.svelte";

/** The row of a message that something happened in. */
export function rowOf(target: EventTarget | null): HTMLElement | null {
  return target instanceof Element ? target.closest<HTMLElement>(".timeline-row") : null;
}
