"""Texts that would run a script if treated as HTML, as an address, or as a template.

Each calls ``hit`` with its number in its own way; `arm` makes a page record that.
"""

from playwright.sync_api import Page

HIT = "hit({n})"
_CORPUS = (
    "<script>{hit}</script>",
    "<img src=x onerror={hit}>",
    '"><img src=x onerror={hit}>',
    "'><svg onload={hit}>",
    "<svg><script>{hit}</script></svg>",
    "<svg><animate onbegin={hit} attributeName=x dur=1s>",
    "<svg><a xlink:href='javascript:{hit}'><text y=20>x</text></a></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror={hit}&gt;'>",
    "<noscript><p title='</noscript><img src=x onerror={hit}>'>",
    "<template><img src=x onerror={hit}></template>",
    "<iframe srcdoc='<script>parent.{hit}</script>'></iframe>",
    "<iframe src='javascript:parent.{hit}'></iframe>",
    "<object data='javascript:{hit}'></object>",
    "<embed src='data:text/html,<script>opener.{hit}</script>'>",
    "<body onload={hit}>",
    "<details open ontoggle={hit}>x</details>",
    "<input autofocus onfocus={hit}>",
    "<video><source onerror={hit}></video>",
    "<marquee onstart={hit}>x</marquee>",
    "<form><button formaction='javascript:{hit}'>x</button></form>",
    "<meta http-equiv=refresh content='0;url=javascript:{hit}'>",
    "<link rel=stylesheet href='data:text/css,*{{}}' onload={hit}>",
    "<base href='javascript:/'><a href='{hit}'>x</a>",
    "<a href='javascript:{hit}'>x</a>",
    "<style>@import 'javascript:{hit}';</style>",
    "</textarea></title></style></script><script>{hit}</script>",
    "<!--><img src=x onerror={hit}>-->",
    "<![CDATA[<img src=x onerror={hit}>]]>",
    "&lt;img src=x onerror={hit}&gt;",
    "&#60;img src=x onerror={hit}&#62;",
    "\\x3cimg src=x onerror={hit}\\x3e",
    "<img\u2028src=x\u2029onerror={hit}>",
    "\ufeff<img src=x onerror={hit}>",
    "[x](javascript:{hit})",
    "[x](<javascript:{hit}>)",
    "[x](JaVaScRiPt:{hit})",
    "[x](\x01javascript:{hit})",
    "[x](java\tscript:{hit})",
    "[x](javascript&colon;{hit})",
    "[x](data:text/html;base64,PHNjcmlwdD5vcGVuZXIuaGl0KCk8L3NjcmlwdD4=)",
    "[x](vbscript:{hit})",
    '[x](https://a.example/"onmouseover="{hit})',
    "[x](https://a.example 'x\" onmouseover=\"{hit}')",
    "[<img src=x onerror={hit}>](https://a.example)",
    "<javascript:{hit}>",
    '![x](x"onerror="{hit})',
    "[x]: javascript:{hit}\n\n[x]",
    "https://a.example/'onclick='{hit}",
    "```html\n<img src=x onerror={hit}>\n```",
    '```"><img/src=x/onerror={hit}>\nx\n```',
    "`<img src=x onerror={hit}>`",
    "||<img src=x onerror={hit}>||",
    "> <img src=x onerror={hit}>\n> - <svg onload={hit}>",
    "@<img src=x onerror={hit}>",
    "{{{{constructor.constructor('{hit}')()}}}} ${{{hit}}} {{@html '<img src=x onerror={hit}>'}}",
    "javascript:/*--></title></style></textarea></script></xmp><svg/onload='+/\"/+/onmouseover=1/+/[*/[]/+{hit}//'>",
)
CORPUS = tuple(text.format(hit=HIT.format(n=number)) for number, text in enumerate(_CORPUS))

_ARM = """() => {
    window.hits = [];
    window.hit = (number) => void window.hits.push(number);
    document.addEventListener("securitypolicyviolation", (event) =>
        window.hits.push(`${event.violatedDirective}: ${event.sample || event.blockedURI}`));
}"""

_SETTLED = """async () => {
    const last = new Image();
    await new Promise((over) => {
        last.onload = last.onerror = over;
        last.src = "/assets/none.png";
    });
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
    return window.hits;
}"""


def arm(page: Page) -> None:
    """Record from the next load on which texts ran and what the policy blocked."""
    page.add_init_script(f"({_ARM})()")


def hits(page: Page) -> list[object]:
    """Return what ran or was blocked; nothing may.

    Failing images have failed by then, because our own, requested last, has.
    """
    found: list[object] = page.evaluate(_SETTLED)
    return found
