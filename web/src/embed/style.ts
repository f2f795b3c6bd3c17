/**
 * The styles of the page of one room. They are not in the client's one style sheet, since all other
 * pages would load them too.
 */
const CSS_TEXT = `
  #app > .one-room { position: relative; display: grid; grid-template: auto minmax(0, 1fr) auto / minmax(0, 1fr); flex: 1; min-height: 0; }
  .one-room > header { display: flex; align-items: center; gap: 4px; min-height: 48px; padding: 4px 8px 4px 20px; border-bottom: 1px solid var(--line); }
  .one-room > header h2 { flex: 1; min-width: 0; overflow: hidden; font-size: 16px; text-overflow: ellipsis; white-space: nowrap; }
  .one-room > header svg { width: 18px; height: 18px; }
  .one-room > header .count { display: flex; gap: 6px; align-items: center; width: auto; padding: 0 10px; font-size: 14px; font-weight: 550; }
  .one-room > .writing { min-width: 0; }
  .one-room > .left:empty { display: none; }
  .wait { display: grid; place-content: center; justify-items: center; gap: 16px; flex: 1; padding: 24px; text-align: center; }
  .wait > div { display: flex; flex-wrap: wrap; justify-content: center; gap: 8px; }
  .wait a.button { text-decoration: none; }
  #app > .preview { display: grid; flex: 1; min-height: 0; }
  .preview .back { display: none; }
  @media (max-width: 480px) { .one-room > aside { width: 100%; } }
  @media (max-width: 720px) { .one-room > header { padding-inline-start: 12px; } }
`;

export function addStyle(): void {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(CSS_TEXT);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}
