"""MkDocs hooks of the documentation site: links to files outside docs/, and a site that needs no other server.

Pages are read in the repository as well as on the site, so their links are paths in the repository.
A link that leaves docs/ gets a target on the site: the file is copied to repository/PATH, as a page
if it is Markdown. The README is for readers of the repository; the site's own start page stands for
it.
"""

import os
import re
from pathlib import Path
from typing import Any

from markdown.extensions import toc
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
FOLDER = "repository"
DECISIONS = "adr/"
README = "README.md"
PAGES = ("ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
LINK = re.compile(r"(\]\()([^)\s]+)(\))")
CODE = re.compile(r"(^ *```.*?^ *```|`[^`\n]*`)", re.DOTALL | re.MULTILINE)
LOADED = re.compile(
    r"<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc=[\"']?(?:https?:)?//[^\s\"'>]+"
    r"|<link\b(?![^>]*\brel=[\"']?(?:canonical|prev|next|edit)\b)[^>]*\bhref=[\"']?(?:https?:)?//[^\s\"'>]+"
    r"|@import\s+(?:url\()?[\"']?(?:https?:)?//[^\s\"')]+"
    r"|url\([\"']?(?:https?:)?//[^\s\"')]+",
    re.IGNORECASE,
)
"""What a browser loads by itself. A link that a reader follows is not among it."""


def on_config(config: Any) -> Any:
    """List the decisions under their entry of the navigation, and number equal headings as GitHub does."""
    toc.unique = _unique
    _expand(config["nav"])
    return config


def _unique(anchor: str, taken: set[str], *_: object) -> str:
    name, number = anchor, 0
    while not name or name in taken:
        number += 1
        name = f"{anchor}-{number}"
    taken.add(name)
    return name


def _expand(entries: list[Any]) -> None:
    for entry in entries:
        for title, what in entry.items() if isinstance(entry, dict) else ():
            if what == DECISIONS:
                entry[title] = [f"{DECISIONS}index.md", *(f"{DECISIONS}{path.name}" for path in _decisions())]
            elif isinstance(what, list):
                _expand(what)


def _decisions() -> list[Path]:
    return sorted((DOCS / DECISIONS).glob("[0-9]*.md"))


def on_files(files: Files, *, config: Any) -> Files:
    """Add the pages of the repository's root, and every other file that a page links to."""
    for page in [*DOCS.rglob("*.md"), *(ROOT / name for name in PAGES)]:
        for target in LINK.findall("".join(CODE.split(page.read_text())[::2])):
            path = _outside(page, target[1])
            uri = f"{FOLDER}/{path}"
            if path and path != README and (ROOT / path).is_file() and not files.get_file_from_path(uri):
                files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
    for name in PAGES:
        if not files.get_file_from_path(f"{FOLDER}/{name}"):
            files.append(File.generated(config, f"{FOLDER}/{name}", abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Turn links that lead out of docs/, or from the root into it, into paths on the site."""
    uri = page.file.src_uri
    source = ROOT / uri.removeprefix(f"{FOLDER}/") if uri.startswith(f"{FOLDER}/") else DOCS / uri

    def moved(match: re.Match[str]) -> str:
        return f"{match[1]}{_on_site(source, uri, match[2])}{match[3]}"

    if uri == f"{DECISIONS}index.md":
        titles = [(path.name, path.read_text().partition("\n")[0].lstrip("# ")) for path in _decisions()]
        markdown += "\n" + "".join(f"- [{title.replace('. ', ') ', 1)}]({name})\n" for name, title in titles)
    parts = CODE.split(markdown)
    return "".join(part if number % 2 else LINK.sub(moved, part) for number, part in enumerate(parts))


def on_page_content(html: str, **_: Any) -> str:
    """End a sentence before an example with one colon: docstrings have two, as in reStructuredText."""
    return html.replace("::</p>", ":</p>")


def on_post_build(*, config: Any) -> None:
    """Fail if a page makes the browser load something from another server."""
    site = Path(config["site_dir"])
    found = [
        f"{path.relative_to(site)}: {match[0]}"
        for path in sorted(site.rglob("*"))
        if path.suffix in {".html", ".css"}
        for match in LOADED.finditer(path.read_text())
    ]
    if found:
        raise PluginError("The site loads from other servers:\n" + "\n".join(found))


def _outside(page: Path, target: str) -> str | None:
    """Return the path in the repository of a link's target outside docs/, or None."""
    name = target.partition("#")[0]
    if not name or re.match(r"\w+:", name):
        return None
    path = (page.parent / name).resolve()
    if path.is_relative_to(DOCS) or not path.is_relative_to(ROOT):
        return None
    return path.relative_to(ROOT).as_posix()


def _on_site(source: Path, uri: str, target: str) -> str:
    """Return the link as it must be on the site, relative to the page `uri`."""
    name, mark, anchor = target.partition("#")
    if not name or re.match(r"\w+:", name):
        return target
    path = (source.parent / name).resolve()
    if path == ROOT / README:
        there, mark, anchor = "index.md", "", ""
    elif path == DOCS / "adr":
        there = "adr/index.md"
    elif path.is_relative_to(DOCS):
        there = path.relative_to(DOCS).as_posix()
    elif path.is_relative_to(ROOT):
        there = f"{FOLDER}/{path.relative_to(ROOT).as_posix()}"
    else:
        return target
    return os.path.relpath(there, os.path.dirname(uri) or ".") + mark + anchor  # noqa: PTH120
