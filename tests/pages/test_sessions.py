"""The quickstart, the tutorials and a guide run from top to bottom, and print what they say they print."""

from pathlib import Path

import pytest

from tests.pages import session
from tests.support.documents import DOCS, blocks_in

PAGES = [DOCS / "quickstart.md", DOCS / "posting.md", *sorted((DOCS / "tutorials").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_runs_from_top_to_bottom(page: Path, tmp_path: Path) -> None:
    blocks, outputs = session.run(page, tmp_path)
    assert len(outputs) == sum(block.language == "sh" for block in blocks) > 0
    assert session.differences(blocks, outputs) == []


def write(folder: Path, text: str) -> Path:
    page = folder / "page.md"
    page.write_text(text)
    return page


def test_control_a_page_with_a_failing_command_fails(tmp_path: Path) -> None:
    page = write(tmp_path, "# Page\n\n```sh\nhubbub serv\n```\n")
    with pytest.raises(AssertionError, match="No such command 'serv'"):
        session.run(page, tmp_path)


def test_control_a_page_that_says_something_else_fails(tmp_path: Path) -> None:
    page = write(tmp_path, "# Page\n\n```sh\necho one two\n```\n\n```text\none … three\n```\n")
    blocks, outputs = session.run(page, tmp_path)
    assert outputs == ["one two"]
    assert len(session.differences(blocks, outputs)) == 1


def test_commands_over_several_lines_are_one() -> None:
    (block,) = blocks_in("```sh\na \\\n  b\nc |\n  d 'e\nf'  # g\n# h\n\ni\n```\n", "page.md")
    assert session.lines(block.text) == ["a b", "c |\n  d 'e\nf'  # g", "i"]
