/** The effects of events about the site on the state. Pure. */
import type { SiteUpdated } from "./events";
import type { State } from "./state";

/** The settings that changed since the page was loaded; the page itself asked for all of them. */
export function siteUpdated(state: State, { changes }: SiteUpdated): State {
  return { ...state, site: { ...state.site, ...changes } };
}
