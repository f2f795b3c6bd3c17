/** The rows of the timeline, as elements. */
export { focus } from "../timeline/keys";
export { seqOf } from "../timeline/view.svelte";

/** Return the message row that contains an event's target. */
export function rowOf(target: EventTarget | null): HTMLElement | null {
  return target instanceof Element ? target.closest<HTMLElement>(".timeline-row") : null;
}
