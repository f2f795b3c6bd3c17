/** Prepares the page for the host application around it. Loaded only where there is one. */
import type App from "../App.svelte";
import { hostSettings, returnFromLogIn } from "../features/accounts/host_page";
import { setTokenSource, dropToken } from "../net/tokens";
import { fetchedTokens } from "./fetched_tokens";

/** Show `chat`, or the page of one room. */
export async function prepare(chat: typeof App, show: (screen: typeof App) => void): Promise<void> {
  const { embedded, token_url } = hostSettings();
  if (token_url) setTokenSource(fetchedTokens(token_url, dropToken));
  if (embedded) return show((await import("./RoomPage.svelte")).default);
  returnFromLogIn();
  show(chat);
}
