"""The operator's requests on a data folder, with or without a running server.

A running server listens on `control.sock` in its data folder (mode 0600): one JSON object per line
in, one out. Without a server, the command line executes the same requests itself. Either way they
are commands of the journal.
"""

import asyncio
import os
import secrets
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import orjson
import structlog
from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy import Connection

from hubbub.domain import commands as c
from hubbub.domain.errors import BadRequest, Conflict, HubbubError, Internal, NotFound, TooLarge
from hubbub.domain.model import SYSTEM, Frozen, Role
from hubbub.domain.names import MAX_USER_NAME
from hubbub.domain.passwords import check_password
from hubbub.domain.text import one_line
from hubbub.engine.services import Services
from hubbub.features import accounts
from hubbub.protocol.tokens import new_secret, secret_hash
from hubbub.protocol.validation import refuse

SOCKET = "control.sock"
MAX_LINE = 64 * 1024
TIMEOUT = 30.0
PAGE = 200
RESET_LINK_LIFE = 24 * 3_600
# sockaddr_un holds 104 bytes on some systems, 108 on others, the last one a zero (POSIX leaves it
# open).
MAX_PATH = 100

logger = structlog.get_logger(__name__)


class CreateUser(Frozen):
    do: Literal["user.create"] = "user.create"
    name: str
    role: Literal["owner", "admin", "member"]
    password: str


class ListUsers(Frozen):
    do: Literal["user.list"] = "user.list"
    after: int = 0


class LockUser(Frozen):
    """Disables or enables an account."""

    do: Literal["user.disable", "user.enable"]
    name: str


class SetPassword(Frozen):
    do: Literal["user.passwd"] = "user.passwd"
    name: str
    password: str


class MakeResetLink(Frozen):
    do: Literal["user.reset-link"] = "user.reset-link"
    name: str


class MakeInvite(Frozen):
    """Creates an invite. `expires_in` is in seconds; None means never."""

    do: Literal["invite.create"] = "invite.create"
    uses: int | None = 1
    expires_in: int | None = None


Request = CreateUser | ListUsers | LockUser | SetPassword | MakeResetLink | MakeInvite
REQUESTS: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="do")])
Answer = dict[str, object]


async def perform(services: Services, request: Request) -> Answer:
    """Execute a request of the operator. Raises HubbubError."""
    match request:
        case CreateUser():
            return await _create_user(services, request)
        case ListUsers():
            return await services.read(_list_users, request.after)
        case LockUser():
            user = await services.read(_find, request.name)
            command = c.SetDisabled(user=user, disabled=request.do == "user.disable")
            await services.journal.submit(command, SYSTEM)
            return {}
        case SetPassword():
            user = await services.read(_find, request.name, active=True)
            password_hash = await _hash(services, request.password, request.name)
            await services.journal.submit(c.ChangePassword(user=user, password_hash=password_hash), SYSTEM)
            return {}
        case MakeResetLink():
            return await _make_reset_link(services, request)
        case MakeInvite():
            return await _make_invite(services, request)


def read(connection: Connection, request: ListUsers) -> Answer:
    """Answer a request that only reads, in any process that can read the database."""
    return _list_users(connection, request.after)


async def _create_user(services: Services, request: CreateUser) -> Answer:
    password_hash = await _hash(services, request.password, request.name)
    try:
        command = c.CreateAccount(username=request.name, password_hash=password_hash, role=Role(request.role))
    except ValidationError as error:
        raise refuse(error) from None
    receipt = await services.journal.submit(command, SYSTEM)
    return {"user": receipt.answer["user"].model_dump()}


async def _hash(services: Services, password: str, name: str) -> str:
    try:
        check_password(password, name)
    except ValueError as error:
        sentence = str(error)
        raise BadRequest(f"{sentence[0].upper()}{sentence[1:]}.") from None
    return await services.passwords.hash(password)


def _find(connection: Connection, name: str, *, active: bool = False) -> int:
    """Return the id of the user with this name.

    Raises NotFound; with `active`, Conflict for a disabled account.
    """
    account = accounts.by_name(connection, name)
    if account is None:
        if len(name) > MAX_USER_NAME:
            raise NotFound(f"There is no such user: a name has 1 to {MAX_USER_NAME} characters.")
        raise NotFound(f"There is no user called {one_line(name)}.")
    if active and account.disabled:
        raise Conflict(f"The account {account.name} is disabled. Enable it first with `hubbub user enable`.")
    return account.id


def _list_users(connection: Connection, after: int) -> Answer:
    found = accounts.listing(connection, after, PAGE + 1)
    users = [
        {**account.profile().model_dump(), "disabled": account.disabled, "deleted": not account.open_name}
        for account in found[:PAGE]
    ]
    return {"users": users, "more": len(found) > PAGE}


async def _make_reset_link(services: Services, request: MakeResetLink) -> Answer:
    user = await services.read(_find, request.name, active=True)
    token = new_secret(secrets.token_bytes(32))
    expires = services.clock.now() + RESET_LINK_LIFE * 1_000
    command = c.CreateOneTimeToken(purpose="reset", token_hash=secret_hash(token), user=user, expires=expires)
    await services.journal.submit(command, SYSTEM)
    return {"link": f"{services.settings.address}/reset#{token}", "hours": RESET_LINK_LIFE // 3_600}


async def _make_invite(services: Services, request: MakeInvite) -> Answer:
    token = new_secret(secrets.token_bytes(32))
    expires_in = None if request.expires_in is None else request.expires_in * 1_000
    try:
        command = c.CreateInvite(token_hash=secret_hash(token), max_uses=request.uses, expires_in=expires_in)
    except ValidationError as error:
        raise refuse(error) from None
    await services.journal.submit(command, SYSTEM)
    return {"link": f"{services.settings.address}/invite#{token}"}


# --- the server's side -----------------------------------------------------------------------------------------------


class Control:
    """Serves the operator's requests on `control.sock` while entered.

    The folder's lock must be held.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._path = services.settings.data / SOCKET
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "Control":
        self._path.unlink(missing_ok=True)  # left by a server that was killed: this process holds the folder's lock
        self._server = await asyncio.start_unix_server(self._serve, sock=_bind(self._path), limit=MAX_LINE)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(TIMEOUT):
                try:
                    line = await reader.readuntil(b"\n")
                except asyncio.LimitOverrunError:
                    writer.write(_refusal(TooLarge(f"The request is too large: at most {MAX_LINE} bytes.")))
                else:
                    writer.write(await _answer(self._services, line))
                await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            pass  # the command line disconnected, or never sent a request
        finally:
            writer.close()


async def _answer(services: Services, line: bytes) -> bytes:
    try:
        try:
            request = REQUESTS.validate_json(line)
        except ValidationError:
            raise BadRequest(
                "The command line and the server are different versions of Hubbub. Use the same version for both."
            ) from None
        logger.info("control_request", do=request.do)
        return orjson.dumps({"ok": await perform(services, request)}) + b"\n"
    except HubbubError as error:
        return _refusal(error)
    except Exception:
        logger.exception("control_request_failed")
        return _refusal(Internal())


def _refusal(error: HubbubError) -> bytes:
    return orjson.dumps({"error": error.body()}) + b"\n"


# --- the command line's side -----------------------------------------------------------------------------------------


class Refused(Exception):
    """The server reported an error; the message is the server's."""


def ask_server(data: Path, request: Request) -> Answer | None:
    """Return the answer of the server on this data folder; None if none is running.

    Blocks.

    Raises Refused, OSError.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT)
        try:
            with _short(data / SOCKET) as path:
                connection.connect(path)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            return None
        connection.sendall(request.model_dump_json().encode() + b"\n")
        with connection.makefile("rb") as lines:
            line = lines.readline()
    if not line:
        raise Refused("The server stopped before it answered. The command may have been executed.")
    answer = orjson.loads(line)
    if "error" in answer:
        raise Refused(str(answer["error"]["message"]))
    found: Answer = answer["ok"]
    return found


def _bind(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    try:
        # The umask, since others could connect between bind and chmod.
        before = os.umask(0o177)
        try:
            with _short(path) as short:
                listener.bind(short)
        finally:
            os.umask(before)
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    except BaseException:
        listener.close()
        raise
    return listener


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """Yield a path to `path` that fits into a socket address.

    A long one goes through a temporary symbolic link.
    """
    if len(os.fsencode(path)) <= MAX_PATH:
        yield str(path)
        return
    with tempfile.TemporaryDirectory(prefix="hubbub-") as folder:
        link = Path(folder) / "d"
        link.symlink_to(path.parent.absolute())
        yield str(link / path.name)
