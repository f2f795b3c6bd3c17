"""The code blocks of the documentation: what they are, and Python programs as files.

A Python block is a file: its first line names it, as in `# chat.py`.
"""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
INDENTED = "indented"
FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>```+)(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)(?P=fence) *$", re.MULTILINE | re.DOTALL
)
_NAME = re.compile(r"# (\S+\.py)\n")


class Block(NamedTuple):
    """A code block: page (a path in the repository), line, language, and text without the fence.

    A block that is only indented has the language `indented`.
    """

    page: str
    line: int
    language: str
    text: str

    @property
    def name(self) -> str:
        """The file name in the first line of a Python block, or ""."""
        found = _NAME.match(self.text) if self.language == "python" else None
        return found[1] if found else ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line} ({self.name or self.language or 'no language'})"


def pages() -> list[Path]:
    """Return every page that readers see: the root's Markdown files, and docs/."""
    return [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]


def blocks_in(text: str, page: str) -> list[Block]:
    """Return the blocks of a page's text, in their order."""
    found, rest = [], text
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        code = re.sub(rf"^{match['indent']}", "", match["text"], flags=re.MULTILINE)
        found.append(Block(page, line, match["language"], code))
        rest = rest[: match.start()] + re.sub(r"[^\n]", "`", match[0]) + rest[match.end() :]
    for match in re.finditer(r"\n[ \t]*\n(?P<block>(?: {4}.*\n|[ \t]*\n)+)", "\n\n" + rest):
        before = ("\n\n" + rest)[: match.start("block")]
        if match["block"].strip() and not _is_item(before):
            line = before.count("\n") - 1
            found.append(Block(page, line, INDENTED, re.sub(r"^ {4}", "", match["block"], flags=re.MULTILINE)))
    return sorted(found, key=lambda each: each.line)


def _is_item(before: str) -> bool:
    """Return whether indented text after `before` continues an item of a list."""
    last = [line for line in before.splitlines() if line.strip() and not line.startswith("    ")]
    while last and last[-1].startswith(" "):
        last.pop()
    return bool(last) and re.match(r"(?:[-*]|\d+\.) ", last[-1]) is not None


def all_blocks() -> list[Block]:
    """Return the blocks of all pages."""
    return [block for page in pages() for block in blocks_in(page.read_text(), page.relative_to(ROOT).as_posix())]


def blocks(page: str) -> dict[str, str]:
    """Return file names and contents of the Python blocks of a page in docs/.

    Fails for a block without a name and for duplicate names.
    """
    found = [block for block in blocks_in((DOCS / page).read_text(), page) if block.language == "python"]
    assert all(block.name for block in found), "every Python block begins with `# name.py`"
    named = {block.name: block.text for block in found}
    assert len(named) == len(found), "two blocks have the same name"
    return named


def write(page: str, folder: Path) -> None:
    """Write the Python blocks of a page in docs/ into files."""
    for name, code in blocks(page).items():
        (folder / name).write_text(code)
