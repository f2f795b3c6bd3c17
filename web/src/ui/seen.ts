/** Runs something whenever an element comes into sight, such as the button at the end of a list that has more. */
import type { Attachment } from "svelte/attachments";

export const seen = (run: () => void): Attachment<Element> => (element) => {
  const observer = new IntersectionObserver((entries) => entries.at(-1)?.isIntersecting && run());
  observer.observe(element);
  return () => observer.disconnect();
};
