"""Links between the pages of the documentation lead to a file, and to a heading if they name one."""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings as GitHub forms them."""
    found: Counter[str] = Counter()
    result = set()
    for heading in re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE), re.M):
        anchor = re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")
        result.add(f"{anchor}-{found[anchor]}" if found[anchor] else anchor)
        found[anchor] += 1
    return result


def broken(page: Path, text: str) -> list[str]:
    """Return the links of a page that lead nowhere; addresses of other sites are not checked."""
    found = []
    for target in LINK.findall(CODE.sub("", text)):
        if re.match(r"\w+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors(text if file == page else file.read_text())):
            found.append(target)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page: Path) -> None:
    assert broken(page, page.read_text()) == []


def test_a_link_without_a_target_is_found() -> None:
    good = "[a](docs/client.md#hello) [b](#here) [c](https://example.org) `[d](x)`"
    bad = "[e](docs/client.md#bye) [f](docs/none.md) [g](#there)"
    page = f"# Here\n\n{good} {bad}\n"
    assert broken(ROOT / "README.md", page) == ["docs/client.md#bye", "docs/none.md", "#there"]


def test_repeated_headings_get_numbered_anchors() -> None:
    assert anchors("# room.read\n## RoomRead\n```\n# code\n```\n") == {"roomread", "roomread-1"}
