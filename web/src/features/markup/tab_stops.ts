/**
 * Links and buttons in a message are tab stops only while that message has the focus: otherwise
 * there would be hundreds.
 */
import { getContext, setContext } from "svelte";

const KEY = Symbol("stops");
type TabIndex = () => 0 | -1;

/** Set the tab index for all descendants of the calling component. */
export const provideTabStops = (here: () => boolean): TabIndex => setContext<TabIndex>(KEY, () => (here() ? 0 : -1));

/** The tab index of an element in a message. Outside of lists it is always a tab stop. */
export const tabStop = (): TabIndex => getContext<TabIndex | undefined>(KEY) ?? (() => 0);
