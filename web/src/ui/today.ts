/** The present day, for texts such as "Today": they change at midnight and when a sleeping device wakes. */
import { createSubscriber } from "svelte/reactivity";

const EVERY_MS = 30_000;

const follow = createSubscriber((changed) => {
  let day = new Date().toDateString();
  const look = (): void => {
    const now = new Date().toDateString();
    if (now !== day) changed();
    day = now;
  };
  const timer = setInterval(look, EVERY_MS);
  document.addEventListener("visibilitychange", look);
  return () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", look);
  };
});

/** Return the present time; what reads it in an effect or a template runs again on the next day. */
export function today(): Date {
  follow();
  return new Date();
}
