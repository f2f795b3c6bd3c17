"""The command line: `hubbub serve | user | invite | migrate`. Flags become settings and requests, answers become text.

Every failure an operator can meet ends in a sentence on stderr and an exit code: 1 refused or impossible, 2 wrong use.
"""

import asyncio
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from hubbub.settings import Settings, WrongSetting, load

if TYPE_CHECKING:
    from hubbub.control import Answer, Request

REFUSED, WRONG_USE = 1, 2
START_PATIENCE = 10.0
UNITS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}

app = typer.Typer(
    help="Self-hosted real-time chat.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
user = typer.Typer(help="People: make, list, lock out, let in, give a new password.", no_args_is_help=True)
invite = typer.Typer(help="Invites: links that let others sign up.", no_args_is_help=True)
app.add_typer(user, name="user")
app.add_typer(invite, name="invite")

Data = Annotated[Path | None, typer.Option(help="The folder with the database and the keys. [default: hubbub-data]")]
Config = Annotated[Path | None, typer.Option(help="A settings file. [default: hubbub.toml, if there is one]")]
Name = Annotated[str, typer.Argument(help="The person's name.", show_default=False)]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


class Role(StrEnum):
    owner = "owner"
    admin = "admin"
    member = "member"


def main() -> None:
    """The entry point: `hubbub` and `python -m hubbub`."""
    with sentences():
        app()


@contextmanager
def sentences() -> Iterator[None]:
    """Ends the program with one sentence for every error that is not a bug of ours."""
    from hubbub.control import FolderInUse, Refused
    from hubbub.domain.errors import HubbubError

    try:
        yield
    except WrongSetting as error:
        fail(str(error), WRONG_USE)
    except (FolderInUse, Refused) as error:
        fail(str(error))
    except HubbubError as error:
        fail(error.message)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        fail(f"{error.strerror or error}{where}.")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        from hubbub.gateways.websocket.listener import CannotListen
        from hubbub.storage.migrate import TooNew

        if not isinstance(error, CannotListen | TooNew):
            raise
        fail(str(error))


def fail(sentence: str, code: int = REFUSED) -> NoReturn:
    typer.echo(f"hubbub: {sentence}", err=True)
    sys.exit(code)


def _version(wanted: bool) -> None:
    if wanted:
        from hubbub import __version__

        typer.echo(f"hubbub {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which one.")
    ] = False,
) -> None:
    """Self-hosted real-time chat."""


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on. [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on. [default: 8000]")] = None,
    data: Data = None,
    config: Config = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other setting, e.g. --set signup=open. May be repeated."),
    ] = None,
) -> None:
    """Run the server until SIGTERM or Ctrl-C."""
    given = {"host": host, "port": port, "data": data}
    flags = {key: value for key, value in given.items() if value is not None}
    chosen = _settings(_pairs(settings or []) | flags, config)
    from hubbub import main as composition
    from hubbub.control import folder_lock

    with folder_lock(chosen.data), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(composition.serve(chosen))


@app.command()
def migrate(data: Data = None, config: Config = None) -> None:
    """Bring the database up to this version, after a backup of the SQLite file. `serve` does it by itself."""
    chosen = _settings({"data": data}, config)
    from hubbub import main as composition
    from hubbub.control import folder_lock

    async def start_and_stop() -> None:
        async with composition.running(chosen):
            pass

    with folder_lock(chosen.data):
        asyncio.run(start_and_stop())
    typer.echo("The database is up to date.")


@user.command("create")
def create_user(
    name: Name, role: Role = Role.member, password_stdin: FromStdin = False, data: Data = None, config: Config = None
) -> None:
    """Make an account."""
    from hubbub.control import CreateUser

    password = _password(password_stdin)
    answer = _ask(CreateUser(name=name, role=role.value, password=password), data, config)
    made: Any = answer["user"]
    typer.echo(f"{made['name']} is here now ({made['role']}).")


@user.command("list")
def list_users(data: Data = None, config: Config = None) -> None:
    """Show all accounts."""
    from rich.console import Console
    from rich.table import Table

    from hubbub.control import ListUsers

    table = Table("id", "name", "role", "since", "state")
    page: Any = {"more": True, "users": [{"id": 0}]}
    while page["more"]:
        page = _ask(ListUsers(after=page["users"][-1]["id"]), data, config)
        for one in page["users"]:
            state = "deleted" if one["deleted"] else "disabled" if one["disabled"] else ""
            table.add_row(str(one["id"]), one["name"], one["role"], one["created_at"][:10], state)
    Console(soft_wrap=True, markup=False, highlight=False).print(table)


@user.command("disable")
def disable_user(name: Name, data: Data = None, config: Config = None) -> None:
    """Lock somebody out: sessions and connections end at once."""
    from hubbub.control import LockUser

    _ask(LockUser(do="user.disable", name=name), data, config)
    typer.echo(f"{name} is locked out.")


@user.command("enable")
def enable_user(name: Name, data: Data = None, config: Config = None) -> None:
    """Let somebody in again."""
    from hubbub.control import LockUser

    _ask(LockUser(do="user.enable", name=name), data, config)
    typer.echo(f"{name} may log in again.")


@user.command("passwd")
def set_password(name: Name, password_stdin: FromStdin = False, data: Data = None, config: Config = None) -> None:
    """Set a password; all sessions of the account end."""
    from hubbub.control import SetPassword

    _ask(SetPassword(name=name, password=_password(password_stdin)), data, config)
    typer.echo(f"{name} has a new password; all sessions have ended.")


@user.command("reset-link")
def make_reset_link(name: Name, data: Data = None, config: Config = None) -> None:
    """Print a link with which somebody sets a password, once."""
    from hubbub.control import MakeResetLink

    answer = _ask(MakeResetLink(name=name), data, config)
    typer.echo(f"Good for {answer['hours']} hours, once:", err=True)
    typer.echo(answer["link"])


@invite.command("create")
def create_invite(
    uses: Annotated[int, typer.Option(min=0, help="How many may use it; 0 is without limit.")] = 1,
    expires: Annotated[str, typer.Option(help="When it ends: 30m, 12h, 7d, 2w or never.")] = "7d",
    data: Data = None,
    config: Config = None,
) -> None:
    """Print a link with which others sign up."""
    from hubbub.control import MakeInvite

    answer = _ask(MakeInvite(uses=uses or None, expires_in=_seconds(expires)), data, config)
    typer.echo(answer["link"])


def _settings(flags: dict[str, Any], config: Path | None) -> Settings:
    from hubbub import log

    chosen, warnings = load(flags, config)
    log.configure(chosen.log_level, chosen.log_format)
    for sentence in warnings:
        typer.echo(f"hubbub: {sentence}", err=True)
    return chosen


def _pairs(given: list[str]) -> dict[str, Any]:
    pairs = {}
    for pair in given:
        name, found, value = pair.partition("=")
        name = name.strip().replace("-", "_")
        if not found or name not in Settings.model_fields:
            fail(f"--set {pair.partition('=')[0]} is not NAME=VALUE of a setting.", WRONG_USE)
        pairs[name] = value
    return pairs


def _ask(request: "Request", data: Path | None, config: Path | None) -> "Answer":
    """Through the server that runs on the folder; without one, on the database itself."""
    from hubbub.control import FolderInUse, ask_server

    settings = _settings({"data": data, "log_level": "warning"}, config)
    deadline = time.monotonic() + START_PATIENCE
    while True:
        answer = ask_server(settings.data, request)
        if answer is not None:
            return answer
        try:
            return asyncio.run(_alone(settings, request))
        except FolderInUse:
            # A server that is starting holds the lock already and does not listen yet.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


async def _alone(settings: Settings, request: "Request") -> "Answer":
    from hubbub import control
    from hubbub import main as composition

    with control.folder_lock(settings.data):
        async with composition.running(settings) as services:
            return await control.perform(services, request)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where there is one; None is asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


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


def _seconds(duration: str) -> int | None:
    if duration == "never":
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,5})([mhdw])", duration)
    if found is None:
        fail(f"--expires {duration} is none of 30m, 12h, 7d, 2w and never.", WRONG_USE)
    return int(found[1]) * UNITS[found[2]]
