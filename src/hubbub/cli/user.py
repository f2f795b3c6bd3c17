"""`hubbub user`: accounts and passwords."""

import sys
from enum import StrEnum
from typing import Annotated, Any

import typer

from hubbub.cli import options
from hubbub.cli.errors import WRONG_USE, fail
from hubbub.cli.group import Group
from hubbub.cli.options import Config, Data
from hubbub.cli.request import ask

app = typer.Typer(help="User accounts: create, list, disable, enable, set passwords.", cls=Group)


Name = Annotated[str, typer.Argument(help="The user's name.", show_default=False, callback=options.word)]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


class Role(StrEnum):
    owner = "owner"
    admin = "admin"
    member = "member"


@app.command("create")
def create_user(
    name: Name, role: Role = Role.member, password_stdin: FromStdin = False, data: Data = None, config: Config = None
) -> None:
    """Create an account."""
    from hubbub.control import CreateUser

    password = _password(password_stdin)
    answer = ask(CreateUser(name=name, role=role.value, password=password), data, config)
    made: Any = answer["user"]
    typer.echo(f"Created the account {made['name']} ({made['role']}).")


@app.command("list")
def list_users(data: Data = None, config: Config = None) -> None:
    """List all accounts."""
    from rich.console import Console
    from rich.table import Table

    from hubbub.control import ListUsers

    table = Table("id", "name", "role", "since", "state")
    page: Any = {"more": True, "users": [{"id": 0}]}
    while page["more"]:
        page = ask(ListUsers(after=page["users"][-1]["id"]), data, config)
        for user in page["users"]:
            state = "deleted" if user["deleted"] else "disabled" if user["disabled"] else ""
            table.add_row(str(user["id"]), user["name"], user["role"], user["created_at"][:10], state)
    Console(soft_wrap=True, markup=False, highlight=False).print(table)


@app.command("disable")
def disable_user(name: Name, data: Data = None, config: Config = None) -> None:
    """Disable an account. Its sessions and connections end at once."""
    from hubbub.control import LockUser

    ask(LockUser(name=name, disabled=True), data, config)
    typer.echo(f"Disabled the account {name}.")


@app.command("enable")
def enable_user(name: Name, data: Data = None, config: Config = None) -> None:
    """Enable a disabled account."""
    from hubbub.control import LockUser

    ask(LockUser(name=name, disabled=False), data, config)
    typer.echo(f"Enabled the account {name}.")


@app.command("passwd")
def set_password(name: Name, password_stdin: FromStdin = False, data: Data = None, config: Config = None) -> None:
    """Set a password. All sessions of the account end."""
    from hubbub.control import SetPassword

    ask(SetPassword(name=name, password=_password(password_stdin)), data, config)
    typer.echo(f"Set a new password for {name}. All sessions have ended.")


@app.command("reset-link")
def make_reset_link(name: Name, data: Data = None, config: Config = None) -> None:
    """Print a link with which a user can set a new password once."""
    from hubbub.control import MakeResetLink

    answer = ask(MakeResetLink(name=name), data, config)
    typer.echo(f"The link works once, within {answer['hours']} hours:", err=True)
    typer.echo(answer["link"])


def _password(from_stdin: bool) -> str:
    """Read a password: one line of standard input, or typed twice on a terminal."""
    if from_stdin:
        try:
            line = sys.stdin.readline().rstrip("\r\n")
            line.encode()
        except UnicodeError:
            fail("The password on standard input is not valid UTF-8.", WRONG_USE)
        if not line:
            fail("Standard input contains no password.", WRONG_USE)
        return line
    if not sys.stdin.isatty():
        fail("There is no terminal to ask for the password. Use --password-stdin.", WRONG_USE)
    typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return typed
