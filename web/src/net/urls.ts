/**
 * URLs of the server, computed from the page's own address, so that the client works under any root
 * path.
 */

/** Return the folder this page was served from: `/` for `/`, `/setup`, `/invite` and `/reset`. */
export function root(page: string = document.baseURI): URL {
  return new URL(".", page);
}

export function httpUrl(path: string, page?: string): string {
  return new URL(path, root(page)).href;
}

export function socketUrl(page?: string): string {
  const url = new URL("ws", root(page));
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
