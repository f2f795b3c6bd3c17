"""The command line as a whole: help, completion, and what refusals name."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from hubbub import cli
from hubbub.settings import NOT_SETTINGS, PREFIX, Settings
from tests.cli.test_commands import run, told

SOURCES = sorted((Path(__file__).resolve().parents[2] / "src/hubbub").rglob("*.py"))
ROOT: Any = typer.main.get_command(cli.app)
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
VARIABLE = re.compile(rf"\b{PREFIX}[A-Z_]+\b")
COMMAND = re.compile(r"`hubbub ([a-z-]+)(?: ([a-z-]+))?")
OF_OTHERS = {"--http", "--ws", "--workers"}
"""Options of ASGI servers."""
CREATE_A_SITE = {("serve",), ("migrate",), ("restore",)}


def commands(group: Any = ROOT, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield all groups and commands with their words after `hubbub`."""
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


NEED_A_SITE = {
    path: command for path, command in commands() if not hasattr(command, "commands") and path not in CREATE_A_SITE
}
GROUPS = [path for path, command in commands() if hasattr(command, "commands")]


def texts(source: str) -> str:
    """Return all strings of a module, without its comments."""
    found = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)]
    return "\n".join(text for text in found if isinstance(text, str))


def unknown(text: str) -> set[str]:
    """Return the options, variables and commands that a text names and that do not exist."""
    options = {
        name for _, command in commands() for option in command.params for name in option.opts + option.secondary_opts
    }
    options.add("--help")
    variables = {PREFIX + name.upper() for name in Settings.model_fields} | NOT_SETTINGS | {PREFIX}
    known = {path for path, _ in commands()}
    wrong = {name for name in OPTION.findall(text) if name not in options | OF_OTHERS}
    wrong |= {name for name in VARIABLE.findall(text) if name not in variables}
    for first, second in COMMAND.findall(text):
        if (first,) not in known or ((first,) in GROUPS and second and (first, second) not in known):
            wrong.add(f"hubbub {first} {second}".strip())
    return wrong


def test_every_option_variable_and_command_that_a_text_names_exists() -> None:
    assert {path.name: wrong for path in SOURCES if (wrong := unknown(texts(path.read_text())))} == {}


def test_control_options_variables_and_commands_that_do_not_exist_are_found() -> None:
    text = "Use --outbox-bytes or HUBBUB_OUTBOX, run `hubbub check` or `hubbub user remove`; not --data."
    assert unknown(text) == {"--outbox-bytes", "HUBBUB_OUTBOX", "hubbub check", "hubbub user remove"}


@pytest.mark.parametrize(
    ("given", "source"),
    [
        (["--port", "70000"], "--port"),
        (["--set", "port=70000"], "--set port=…"),
        (["--set", "outbox-bytes=1"], "--set outbox_bytes=…"),
        (["--set", "database_url=here"], "--set database_url=…"),
    ],
)
def test_a_refused_value_names_the_option_that_it_came_from(tmp_path: Path, given: list[str], source: str) -> None:
    sentence = told(run("serve", "--data", str(tmp_path / "data"), *given), 2)
    assert sentence.startswith(f"{source} has an invalid value")


@pytest.mark.parametrize("path", GROUPS, ids=" ".join)
def test_a_group_without_a_command_prints_its_help(path: tuple[str, ...]) -> None:
    done = run(*path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage:" in done.stdout
    assert "Commands" in done.stdout
    assert run(*path, "nonsense").returncode == 2, "control: a wrong command is wrong usage"


@pytest.mark.parametrize(("path", "command"), NEED_A_SITE.items(), ids=map(" ".join, NEED_A_SITE))
def test_a_command_with_a_mistyped_data_folder_creates_nothing(
    tmp_path: Path, path: tuple[str, ...], command: Any
) -> None:
    data = tmp_path / "mistyped"
    words = {"file": str(tmp_path / "backup.zip"), "seq": "1", "topic": "site", "room": "site", "value": "1"}
    arguments = [words.get(each.name, "name") for each in command.params if each.param_type_name == "argument"]
    stdin = "a long password\n" if "--password-stdin" in [name for each in command.params for name in each.opts] else ""
    done = run(*path, *arguments, *(["--password-stdin"] if stdin else []), "--data", str(data), stdin=stdin)
    sentence = told(done, 1)
    assert sentence.startswith("There is no ")
    assert str(data) in sentence
    assert list(tmp_path.iterdir()) == []


def test_the_shell_completes_commands_and_options() -> None:
    assert completed("us", 1) == ["user"]
    assert completed("user dis", 2) == ["disable"]
    assert "--workers" in completed("serve --", 2)


def completed(words: str, position: int) -> list[str]:
    """Return what the script of `hubbub --show-completion` would offer in bash."""
    variables = {"COMP_WORDS": f"hubbub {words}", "COMP_CWORD": str(position), "_HUBBUB_COMPLETE": "complete_bash"}
    program = "import sys; sys.argv[0] = 'hubbub'; from hubbub.__main__ import main; main()"
    environment = {**os.environ, **variables}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout.split()
