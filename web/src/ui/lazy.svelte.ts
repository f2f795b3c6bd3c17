/** Components whose code is loaded on first use and then stays. */
import type { Component } from "svelte";
import { isThere, Refusal } from "../net/http";

/** Each component has its own props. */
type Props = Record<string, any>;

/**
 * Import a module if the server is reachable. After a failed import a browser never requests the
 * script again while the page is open (HTML, "module map"), so a retry is possible only if the
 * failure is foreseen.
 */
export async function importIfReachable<T>(load: () => Promise<T>): Promise<T> {
  if (await isThere()) return load();
  throw new Refusal("unreachable", "Couldn't load this.");
}

export class LazyComponent<P extends Props> {
  /** Null until it is loaded. */
  component: Component<P> | null = $state.raw(null);
  failed = $state(false);

  constructor(readonly load: () => Promise<{ default: Component<P> }>) {}

  /**
   * Load the component, again after a failure. Return whether it is there; never throw. `sure` if
   * the server has just answered.
   */
  want = async (sure = false): Promise<boolean> => {
    if (this.component) return true;
    this.failed = false;
    await (sure ? this.load() : importIfReachable(this.load)).then(
      (loaded) => (this.component = loaded.default),
      () => (this.failed = true),
    );
    return !this.failed;
  };
}
