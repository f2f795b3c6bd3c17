/**
 * Call `run` whenever an element comes into view, such as the button at the end of a partial list.
 */
import type { Attachment } from "svelte/attachments";

export const seen =
  (run: () => void): Attachment<Element> =>
  (element) => {
    const observer = new IntersectionObserver((entries) => entries.at(-1)?.isIntersecting && run());
    observer.observe(element);
    return () => observer.disconnect();
  };
