/** What this browser keeps for one person between two loads of the page. */
import { forget, ofBrowser, ofWindow } from "./storage";

export { loadDraft, saveDraft } from "./drafts";
export { loadOutbox, saveOutbox } from "./outbox";

/** Whoever logs out leaves nothing behind for the next person at this browser. */
export function forgetEverything(): void {
  for (const storage of [ofBrowser(), ofWindow()]) forget(storage);
}
