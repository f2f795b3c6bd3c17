"""Check the shell commands of pages without running them.

A command of Hubbub is parsed by the real command line, a variable must be a setting, a URL must be
a route, and a file must exist. What else a page calls is in OTHERS.
"""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

import typer.main
from typer.core import TyperGroup

from hubbub.cli import app
from hubbub.settings import NOT_SETTINGS, PREFIX, Settings
from tests.pages.session import lines
from tests.support.documents import ROOT

OTHERS = frozenset({
    ".", "age", "cd", "cp", "curl", "date", "docker", "echo", "env", "export", "find", "grep", "gunicorn", "helm",
    "journalctl", "jq", "kubectl", "mkdir", "pip", "pytest", "python", "python3", "set", "sudo", "systemctl", "tee",
    "useradd", "uvicorn",
})  # fmt: skip
"""Programs of other projects, of which only the arguments that concern Hubbub are checked."""
OUR_VARIABLES = re.compile(rf"\b({PREFIX}[A-Z_]+)\b")
SUBSTITUTION = re.compile(r"\$\(([^()]*)\)")
FILES = re.compile(r"(?<![\w/.-])((?:deploy|examples|scripts|contract|bench|tests)/[\w./-]+)")


def problems(block: str) -> list[str]:
    """Return what is wrong with a shell block; nothing if all of it exists."""
    return [problem for line in lines(block) for problem in _of_line(line)]


def _of_line(line: str) -> Iterator[str]:
    for variable in OUR_VARIABLES.findall(line):
        if variable not in NOT_SETTINGS and variable.removeprefix(PREFIX).lower() not in _settings():
            yield f"{variable} is no setting: {line}"
    for file in FILES.findall(line):
        if not (ROOT / file).exists():
            yield f"{file} does not exist: {line}"
    for words in _commands(line):
        yield from _of_command(words)


@cache
def _settings() -> frozenset[str]:
    return frozenset(Settings.model_fields)


def _commands(line: str) -> Iterator[list[str]]:
    """Yield the commands of a line: split at pipes and lists, without variables and redirections."""
    line = re.sub(r"^[\d*]+(?: [\d*]+){4}\s+", "", line)  # an entry of a crontab
    for inner in SUBSTITUTION.findall(line):
        yield from _commands(inner)
    line = SUBSTITUTION.sub("…", line)
    lexer = shlex.shlex(line, posix=True, punctuation_chars="();|&<>")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    words: list[str] = []
    skip = False
    for word in lexer:
        if skip:
            skip = False
        elif set(word) <= set("<>"):
            skip = True
        elif set(word) <= set("();|&"):
            yield words
            words = []
        elif words or not re.match(r"\w+=", word):
            words.append(word)
    yield words


def _of_command(words: list[str]) -> Iterator[str]:
    if words[:1] in (["sudo"], ["env"], ["time"]):
        words = words[1:]
        while words and (words[0].startswith("-") or "=" in words[0]):
            words = words[2 if words[0] == "-u" else 1 :]
    if words[:2] == ["docker", "exec"] or words[:1] == ["kubectl"]:
        words = words[words.index("hubbub") :] if "hubbub" in words[3:] else words
        words = words[1:] if words[1:2] == ["hubbub"] else words
    if not words:
        return
    name = words[0].rpartition("/")[2]
    if name == "hubbub":
        yield from _of_hubbub(words[1:])
    elif name == "make":
        yield from (f"there is no `make {word}`" for word in words[1:2] if f"\n{word}" not in _targets())
    elif name in {"python", "python3"} and "-m" in words:
        module = words[words.index("-m") + 1]
        if find_spec(module) is None:
            yield f"there is no module {module}"
    elif name == "curl":
        yield from _of_curl(words)
    elif name not in OTHERS:
        yield f"nothing checks the program {name}"


@cache
def _targets() -> str:
    """Return the names of the Makefile's targets, one in each line."""
    text = (ROOT / "Makefile").read_text()
    names = " ".join(re.findall(r"^([a-z ]+):", text, re.MULTILINE)).split()
    return "\n" + "\n".join(names)


def _of_hubbub(arguments: list[str]) -> Iterator[str]:
    """Parse the arguments as the command line does, without executing anything."""
    command: Any = typer.main.get_command(app)
    try:
        context = command.make_context("hubbub", list(arguments))
        while isinstance(command, TyperGroup):
            name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
            context = command.make_context(name, rest, parent=context)
    except Exception as error:  # Typer's own copy of Click has no public name for its errors
        describe = getattr(error, "format_message", error.__str__)
        yield f"hubbub {shlex.join(arguments)}: {describe()}"


def _of_curl(words: list[str]) -> Iterator[str]:
    for word in words[1:]:
        url = urlsplit(word)
        if url.scheme in {"http", "https"} and not _is_route(url.path.removeprefix("/chat")):
            yield f"there is no route {url.path}"


@cache
def _routes() -> list[re.Pattern[str]]:
    found = [r"/", r"/ws", r"/metrics"]
    for name in ("openapi.json", "operator.json"):
        text = (ROOT / "contract" / name).read_text()
        found += [re.sub(r"\{\w+\}", "[^/]+", path) for path in re.findall(r'^ {4}"(/[^"]*)": \{$', text, re.MULTILINE)]
    return [re.compile(path) for path in found]


def _is_route(path: str) -> bool:
    return any(route.fullmatch(path) for route in _routes())
