"""The built styles fit touch screens."""

import re

from hubbub.gateways.http.web import FOLDER

HOVERING = re.compile(r"@media[^{]*\(hover:\s*hover\)[^{]*\{")


def test_hover_styles_apply_only_where_the_pointer_can_hover() -> None:
    styles = "".join(path.read_text() for path in (FOLDER / "assets").glob("*.css"))
    assert ":hover" in styles
    assert ":hover" not in without_blocks(styles, HOVERING)
    # Control: a rule outside of such a block is found.
    assert ":hover" in without_blocks("a:hover{b:c}" + styles, HOVERING)


def without_blocks(styles: str, begins: re.Pattern[str]) -> str:
    """Return the styles without the blocks that begin so, nested blocks included."""
    kept, at = [], 0
    for block in begins.finditer(styles):
        if block.start() < at:
            continue
        kept.append(styles[at : block.start()])
        depth, at = 1, block.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(styles[at], 0)
            at += 1
    return "".join([*kept, styles[at:]])
