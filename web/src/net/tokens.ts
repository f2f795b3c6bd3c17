/**
 * Bearer tokens of the host application, for pages without its cookie. Without a source the
 * browser's cookie counts.
 */

/** Asks the host application for a token; null if it knows no user. */
export type TokenSource = () => Promise<string | null>;

let source: TokenSource | null = null;
let asked: Promise<string | null> | null = null;

/** Use tokens of this source, from now on. */
export function setTokenSource(from: TokenSource | null): void {
  source = from;
  asked = null;
}

/** Forget the present token: it ends soon, or was refused. */
export const dropToken = (): void => void (asked = null);

/** Return the present token, null if there is none. Throws what the source throws. */
export function token(): Promise<string | null> | null {
  if (!source) return null;
  asked ??= source();
  asked.catch(dropToken);
  return asked;
}

/** The server has refused the token `used`: return whether there is another one. */
export async function renewed(used: string): Promise<boolean> {
  if ((await token()) === used) dropToken();
  return ![used, null].includes(await token());
}
