"""`hubbub user`: the people and their passwords."""

import sys
from enum import StrEnum
from typing import Annotated, Any

import typer

from hubbub.cli.errors import WRONG_USE, fail
from hubbub.cli.options import Config, Data
from hubbub.cli.request import ask

app = typer.Typer(help="People: make, list, lock out, let in, give a new password.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The person's name.", show_default=False)]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


class Role(StrEnum):
    owner = "owner"
    admin = "admin"
    member = "member"


@app.command("create")
def create_user(
    name: Name, role: Role = Role.member, password_stdin: FromStdin = False, data: Data = None, config: Config = None
) -> None:
    """Make an account."""
    from hubbub.control import CreateUser

    password = _password(password_stdin)
    answer = ask(CreateUser(name=name, role=role.value, password=password), data, config)
    made: Any = answer["user"]
    typer.echo(f"{made['name']} is here now ({made['role']}).")


@app.command("list")
def list_users(data: Data = None, config: Config = None) -> None:
    """Show all accounts."""
    from rich.console import Console
    from rich.table import Table

    from hubbub.control import ListUsers

    table = Table("id", "name", "role", "since", "state")
    page: Any = {"more": True, "users": [{"id": 0}]}
    while page["more"]:
        page = ask(ListUsers(after=page["users"][-1]["id"]), data, config)
        for one in page["users"]:
            state = "deleted" if one["deleted"] else "disabled" if one["disabled"] else ""
            table.add_row(str(one["id"]), one["name"], one["role"], one["created_at"][:10], state)
    Console(soft_wrap=True, markup=False, highlight=False).print(table)


@app.command("disable")
def disable_user(name: Name, data: Data = None, config: Config = None) -> None:
    """Lock somebody out: sessions and connections end at once."""
    from hubbub.control import LockUser

    ask(LockUser(do="user.disable", name=name), data, config)
    typer.echo(f"{name} is locked out.")


@app.command("enable")
def enable_user(name: Name, data: Data = None, config: Config = None) -> None:
    """Let somebody in again."""
    from hubbub.control import LockUser

    ask(LockUser(do="user.enable", name=name), data, config)
    typer.echo(f"{name} may log in again.")


@app.command("passwd")
def set_password(name: Name, password_stdin: FromStdin = False, data: Data = None, config: Config = None) -> None:
    """Set a password; all sessions of the account end."""
    from hubbub.control import SetPassword

    ask(SetPassword(name=name, password=_password(password_stdin)), data, config)
    typer.echo(f"{name} has a new password; all sessions have ended.")


@app.command("reset-link")
def make_reset_link(name: Name, data: Data = None, config: Config = None) -> None:
    """Print a link with which somebody sets a password, once."""
    from hubbub.control import MakeResetLink

    answer = ask(MakeResetLink(name=name), data, config)
    typer.echo(f"Good for {answer['hours']} hours, once:", err=True)
    typer.echo(answer["link"])


def _password(from_stdin: bool) -> str:
    """One line of standard input, or what is typed twice on a terminal."""
    if from_stdin:
        line = sys.stdin.readline()
        if not line.rstrip("\r\n"):
            fail("There was no password on standard input.", WRONG_USE)
        return line.rstrip("\r\n")
    if not sys.stdin.isatty():
        fail("Without a terminal, give the password with --password-stdin.", WRONG_USE)
    typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return typed
