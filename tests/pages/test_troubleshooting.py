"""The troubleshooting page quotes what the program says, word for word."""

import ast
import re
from pathlib import Path

from tests.support.documents import DOCS, ROOT

PAGE = (DOCS / "troubleshooting.md").read_text()
FIELD = "\0"


def quotes(text: str) -> list[str]:
    """Return the quotation blocks of a page, each in one line."""
    found = re.findall(r"(?:^> .*\n)+", text, re.MULTILINE)
    return [" ".join(line.removeprefix("> ") for line in block.splitlines()) for block in found]


def sentences(folder: Path) -> list[str]:
    """Return the strings in the code of a folder; FIELD stands for what is filled in."""
    found = []
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(str(p.value) if isinstance(p, ast.Constant) else FIELD for p in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def is_said(quote: str, said: list[str]) -> bool:
    """Return whether the program has a sentence with the parts of a quotation, in their order."""
    parts = [re.escape(part.strip()) for part in quote.split("…") if part.strip()]
    pattern = re.compile(r"[\s\S]*?".join(parts))
    return any(pattern.search(text) for text in said)


def test_the_program_says_each_sentence_that_the_page_quotes() -> None:
    said, quoted = sentences(ROOT / "src"), quotes(PAGE)
    assert len(quoted) > 15
    assert [quote for quote in quoted if not is_said(quote, said)] == []


def test_control_a_sentence_that_the_program_does_not_say_is_found() -> None:
    said = ["Port \0 on \0 is already in use. Stop it."]
    assert is_said("Port … is already in use.", said)
    assert not is_said("Port … is busy.", said)


def test_every_setting_event_and_metric_that_the_page_names_exists() -> None:
    source = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    names = set(re.findall(r"`(?:HUBBUB_)?([A-Za-z]+(?:_[A-Za-z]+)+)`", PAGE))
    assert len(names) > 5
    assert [name for name in sorted(names) if name.lower() not in source.lower()] == []
