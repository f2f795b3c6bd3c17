/** What stands in a message of a list is a stop of the Tab key only while one is at that message: else there are hundreds. */
import { getContext, setContext } from "svelte";

const KEY = Symbol("stops");
type TabIndex = () => 0 | -1;

/** For everything inside of the component that calls this. */
export const provideTabStops = (here: () => boolean): TabIndex => setContext<TabIndex>(KEY, () => (here() ? 0 : -1));

/** The tabindex of what can be used in a message; outside of lists it is always a stop. */
export const tabStop = (): TabIndex => getContext<TabIndex | undefined>(KEY) ?? (() => 0);
