"""Find prose in the project's files and count indefinite pronouns in it.

Prose is what a reader reads as sentences: docstrings, comments, string constants that hold a
sentence (error messages, command line texts), text of the web client, and Markdown outside of code
blocks.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Prose(NamedTuple):
    """A piece of prose and where it stands."""

    path: str
    line: int
    text: str


PRONOUNS = r"whoever|whomever|whom|somebody|nobody|anybody|oneself|one's|he|him|his|himself"
# "one" is a person where it is the subject of a clause: "if one is logged in", "what one writes". A verb follows it.
OPENS_CLAUSE = (
    r"(?:^|[.;:,(–—]\s*|\b(?:if|when|where|what|that|which|as|than|before|after|while|until|since|how|whether|because|"
    r"and|or|but|who|so)\s+)"
)
NOT_A_VERB = (
    r"(?:this|thus|its|his|hers|ours|yours|as|is|was|has|does|seconds|minutes|hours|days|bytes|others|less|"
    r"plus|times|process|address|pass|access|class|across|always|towards|besides|of|s)"
)
VERB = rf"(?:is|was|has|had|does|did|can|could|may|might|must|should|will|would|(?!{NOT_A_VERB}\b)[a-z]{{2,}}s)"
FOUND = re.compile(rf"\b(?:{PRONOUNS})\b|{OPENS_CLAUSE}one\s+(?:{VERB})\b", re.IGNORECASE)
WORD = re.compile(r"[A-Za-z][A-Za-z'-]*")


def count(text: str) -> int:
    """Return how many indefinite pronouns stand in `text`."""
    return len(FOUND.findall(" ".join(text.split())))


def words(text: str) -> int:
    """Return how many words stand in `text`."""
    return len(WORD.findall(text))


def of_python(path: Path) -> Iterator[Prose]:
    """Yield docstrings, comments and sentences in string constants."""
    source = path.read_text()
    name = path.relative_to(ROOT).as_posix()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield Prose(name, token.start[0], token.string.lstrip("#: "))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and words(node.value) > 2:
            yield Prose(name, node.lineno, node.value)


def of_web(path: Path) -> Iterator[Prose]:
    """Yield comments, and lines of string and markup text that hold a sentence."""
    name = path.relative_to(ROOT).as_posix()
    source = path.read_text()
    for match in re.finditer(r"/\*(.*?)\*/|<!--(.*?)-->|(?:^|\s)//\s(.*)$|>([^<>{}]{8,})<|[\"'`]([^\"'`\n]{12,})[\"'`]",
                             source, re.DOTALL | re.MULTILINE):  # fmt: skip
        text = next(group for group in match.groups() if group is not None)
        if words(text) > 2:
            yield Prose(name, source.count("\n", 0, match.start()) + 1, text)


def of_markdown(path: Path) -> Iterator[Prose]:
    """Yield paragraphs outside of code blocks."""
    name = path.relative_to(ROOT).as_posix()
    text = re.sub(r"^```.*?^```", lambda block: "\n" * block[0].count("\n"), path.read_text(), flags=re.S | re.M)
    line = 1
    for paragraph in re.split(r"(\n\s*\n)", text):
        if paragraph.strip():
            yield Prose(name, line, re.sub(r"`[^`]*`", "", paragraph))
        line += paragraph.count("\n")


def area(name: str) -> list[Prose]:
    """Return all prose of `src`, `web`, `docs` or `tests`."""
    folders = {"src": ["src", "examples", "scripts", "bench"], "web": ["web"], "docs": ["docs"], "tests": ["tests"]}
    found: list[Prose] = []
    for folder in folders[name]:
        for path in sorted((ROOT / folder).rglob("*")):
            parts = path.relative_to(ROOT).parts
            if not path.is_file() or {"node_modules", "web_dist", "__pycache__"} & set(parts):
                continue
            if path.suffix == ".py":
                found += of_python(path)
            elif path.suffix in {".ts", ".svelte", ".js", ".html", ".css"} and path.name != "contract.ts":
                found += of_web(path)
            elif path.suffix == ".md":
                found += of_markdown(path)
    if name == "docs":
        for path in sorted(ROOT.glob("*.md")):
            found += of_markdown(path)
    return found


LIMITS = {"src": 1.0, "web": 1.0, "docs": 1.0, "tests": 2.0}
"""Indefinite pronouns per 1,000 words, at most."""


def rate(found: list[Prose]) -> float:
    """Return the indefinite pronouns per 1,000 words of `found`."""
    return 1_000 * sum(count(each.text) for each in found) / max(1, sum(words(each.text) for each in found))


if __name__ == "__main__":
    for name in sys.argv[1:] or LIMITS:
        prose = area(name)
        for each in prose:
            if count(each.text):
                print(f"{each.path}:{each.line}: {' '.join(each.text.split())[:160]}")
        print(f"{name}: {rate(prose):.2f} per 1,000 words, at most {LIMITS[name]}")
