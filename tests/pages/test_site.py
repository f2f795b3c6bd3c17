"""The documentation site is built strictly: what is wrong in a page fails `make docs`."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.documents import ROOT

MKDOCS = ROOT / ".venv-docs" / "bin" / "mkdocs"
"""`make docs` and `make test` install it."""
COPIED = ("docs", "mkdocs.yml", "scripts/mkdocs_hooks.py", "contract", "deploy", "examples")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of everything that the site is built from."""
    for name in COPIED:
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target)
        else:
            shutil.copy2(ROOT / name, target)
    for page in ROOT.glob("*.md"):
        shutil.copy2(page, tmp_path)
    (tmp_path / "src").symlink_to(ROOT / "src")
    return tmp_path


def build(project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MKDOCS, "build"], cwd=project, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip


def add(page: Path, text: str) -> None:
    page.write_text(f"{page.read_text()}\n{text}\n")


def test_links_out_of_docs_and_equal_headings_lead_somewhere_on_the_site(project: Path) -> None:
    done = build(project)
    assert done.returncode == 0, done.stdout + done.stderr
    site = project / "build" / "site"
    assert 'href="repository/examples/bot.py"' in (site / "client.html").read_text()
    assert (site / "repository" / "examples" / "bot.py").read_text() == (ROOT / "examples" / "bot.py").read_text()
    assert 'href="../glossary.html"' in (site / "repository" / "ARCHITECTURE.html").read_text()
    assert 'id="roomread-1"' in (site / "protocol.html").read_text()
    assert "0001-one-log-per-topic.html" in (site / "adr" / "index.html").read_text()
    assert "async" in (site / "reference" / "manager.html").read_text()


def test_control_each_mistake_in_a_page_fails_the_build(project: Path) -> None:
    docs = project / "docs"
    add(docs / "search.md", "[a](nowhere.md)")
    add(docs / "markdown.md", "[b](search.md#no-such-heading)")
    add(docs / "backup.md", "[c](../examples/nowhere.py)")
    add(docs / "glossary.md", '<img src="https://example.org/counter.png">')
    (docs / "orphan.md").write_text("# Orphan\n")
    done = build(project)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    for part in (
        "'nowhere.md', but the target is not found",
        "'search.md#no-such-heading', but the doc 'search.md' does not contain an anchor",
        "'repository/examples/nowhere.py', but the target is not found",
        "orphan.md",
        'glossary.html: <img src="https://example.org/counter.png',
    ):
        assert part in said, f"{part}\n{said}"


def test_control_an_unknown_name_in_the_api_reference_fails_the_build(project: Path) -> None:
    add(project / "docs" / "reference" / "errors.md", "::: hubbub.NoSuchName")
    done = build(project)
    assert done.returncode != 0
    assert "hubbub.NoSuchName could not be found" in done.stdout + done.stderr
