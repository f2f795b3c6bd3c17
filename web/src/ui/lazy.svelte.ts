/** Components whose code is loaded when somebody first wants them, and then stays. */
import type { Component } from "svelte";
import { isThere, Refusal } from "../net/http";

/** Each component has its own. */
type Props = Record<string, any>;

/**
 * Imports something if it can be had. A browser that could not load a script never asks for it again for as long as the
 * page is open (HTML, "module map"), so whoever wants to try again has to know beforehand.
 */
export async function carefully<T>(load: () => Promise<T>): Promise<T> {
  if (await isThere()) return load();
  throw new Refusal("unreachable", "It could not be loaded.");
}

export class LazyComponent<P extends Props> {
  /** Null as long as it is not here. */
  component: Component<P> | null = $state.raw(null);
  failed = $state(false);

  constructor(readonly load: () => Promise<{ default: Component<P> }>) {}

  /** Have it loaded; again, if it could not be. Never throws. `sure` if the server has just answered. */
  want = async (sure = false): Promise<void> => {
    if (this.component) return;
    this.failed = false;
    await (sure ? this.load() : carefully(this.load)).then(
      (loaded) => (this.component = loaded.default),
      () => (this.failed = true),
    );
  };
}
