"""The operator's requests on a data folder, with or without a running server.

A running server answers them over HTTP on `control.sock` in its data folder
(`gateways/http/operator.py`). Without a server, the command line executes them itself. Either way
they are commands of the journal.
"""

import asyncio
import os
import secrets
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar, Literal

import orjson
from pydantic import Field, ValidationError
from sqlalchemy import Connection

from hubbub.domain import commands as c
from hubbub.domain.commands import Command
from hubbub.domain.errors import BadRequest, Conflict, NotFound
from hubbub.domain.events import Entry
from hubbub.domain.model import SITE, SYSTEM, Frozen, Role, room_topic
from hubbub.domain.names import MAX_ROOM_NAME, MAX_USER_NAME
from hubbub.domain.passwords import check_password
from hubbub.domain.site_settings import NAMES as SETTINGS
from hubbub.domain.site_settings import Setting, WrongValue, check, describe, effective
from hubbub.domain.text import MAX_ID, one_line
from hubbub.engine.services import Services
from hubbub.features import accounts, followers
from hubbub.protocol.tokens import new_secret, secret_hash
from hubbub.protocol.validation import refuse
from hubbub.settings import Settings
from hubbub.storage import log, rooms, site_settings

SOCKET = "control.sock"
"""The socket of the first process of a data folder. Others that share it have one each: `control.N.sock`."""
PAGE = 200
MAX_WAIT = 2.0
"""Seconds for which a request may wait for entries. A stopping server waits for it."""
PAGE_OF_FOLLOWERS = 20
RESET_LINK_LIFE = 24 * 3_600
NO_SETTING = "There is no such setting. `hubbub settings list` lists all."
# sockaddr_un holds 104 bytes on some systems, 108 on others, the last one a zero (POSIX leaves it
# open).
MAX_PATH = 100
DIFFERENT_VERSIONS = "The command line and the server are different versions of Hubbub. Use the same version for both."


class Routed(Frozen):
    """A request of the operator: the JSON body, or the query, of its route."""

    route: ClassVar[tuple[Literal["GET", "POST", "PUT"], str]]


class CreateUser(Routed):
    route = ("POST", "/users")
    name: str
    role: Literal["owner", "admin", "member"]
    password: str


class ListUsers(Routed):
    """Lists users in the order of their ids, after the id `after`."""

    route = ("GET", "/users")
    after: int = 0


class LockUser(Routed):
    """Disables or enables an account."""

    route = ("PUT", "/users/disabled")
    name: str
    disabled: bool


class SetPassword(Routed):
    route = ("PUT", "/users/password")
    name: str
    password: str


class MakeResetLink(Routed):
    route = ("POST", "/users/reset-link")
    name: str


class MakeInvite(Routed):
    """Creates an invite. `expires_in` is in seconds; null means never."""

    route = ("POST", "/invites")
    uses: int | None = 1
    expires_in: int | None = None


class Tail(Routed):
    """Reads the log of a room, given by id or name, or of `site`.

    Entries after `after` come at once, from the oldest that is kept; without it the answer is the
    present position. If there are none, the server waits for up to `wait` seconds. `epoch` is that
    of the position.
    """

    route = ("GET", "/tail")
    topic: str
    after: int | None = Field(None, ge=0, le=MAX_ID)
    epoch: str | None = None
    wait: float = Field(0, ge=0, le=MAX_WAIT)


class ListFollowers(Routed):
    """Lists followers in the order of their names, after the name `after`."""

    route = ("GET", "/followers")
    after: str = ""


class ListDeadLetters(Routed):
    """Lists dead letters of a follower, after the `topic,seq` of `after`."""

    route = ("GET", "/followers/dead-letters")
    follower: str
    after: str = ""


class SetFollowerPaused(Routed):
    route = ("PUT", "/followers/paused")
    follower: str
    paused: bool


class Replay(Routed):
    """Handles the entries after `seq` again, in one topic or in all."""

    route = ("POST", "/followers/replay")
    follower: str
    topic: str | None = None
    seq: int = 0


class SettleLetter(Routed):
    """Handles a dead letter again, or drops it."""

    route = ("POST", "/followers/dead-letters")
    follower: str
    topic: str
    seq: int
    drop: bool


class RebuildSearch(Routed):
    """Begins to build the search index again."""

    route = ("POST", "/search/rebuild")


class ShowSearch(Routed):
    """Tells how far the search index is built."""

    route = ("GET", "/search")


class ListSettings(Routed):
    """Lists the settings of the site."""

    route = ("GET", "/settings")


class ChangeSetting(Routed):
    """Sets a setting of the site to a value as a variable would have it, or unsets it: `value` is null."""

    route = ("PUT", "/settings")
    setting: str
    value: str | None


Reading = ListUsers | ListFollowers | ListDeadLetters | ListSettings | Tail
"""Requests that only read."""
Request = (
    Reading | CreateUser | LockUser | SetPassword | MakeResetLink | MakeInvite
    | SetFollowerPaused | Replay | SettleLetter | RebuildSearch | ShowSearch | ChangeSetting
)  # fmt: skip
Answer = dict[str, object]


async def perform(services: Services, request: Request) -> Answer:
    """Execute a request of the operator. Raises HubbubError."""
    match request:
        case CreateUser():
            return await _create_user(services, request)
        case ListUsers() | ListFollowers() | ListDeadLetters():
            return await services.read(read, request, services.settings)
        case ListSettings():
            return _settings(services.live_settings.describe())
        case ChangeSetting():
            return await _change_setting(services, request)
        case LockUser():
            user = await services.read(_find, request.name)
            await services.journal.submit(c.SetDisabled(user=user, disabled=request.disabled), SYSTEM)
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
        case Tail():
            return await _tail(services, request)
        case SetFollowerPaused():
            kind = c.PauseFollower if request.paused else c.ResumeFollower
            return await _about_a_follower(services, kind, request, follower=request.follower)
        case Replay():
            return await _about_a_follower(services, c.ReplayFollower, request, **request.model_dump())
        case SettleLetter():
            letter = c.DropDeadLetter if request.drop else c.RetryDeadLetter
            return await _about_a_follower(services, letter, request, **request.model_dump(exclude={"drop"}))
        case RebuildSearch():
            await services.search.rebuild()
            return (await services.search.progress()).model_dump()
        case ShowSearch():
            return (await services.search.progress()).model_dump()


async def _tail(services: Services, request: Tail) -> Answer:
    """Return the next entries; wait for them if there are none yet."""
    page = await services.read(_page, request)
    if request.after is None or page["events"] or page["reset"] or not request.wait:
        return page
    heard = asyncio.Event()

    def hear(entries: Sequence[Entry]) -> None:
        if any(entry.topic == page["topic"] for entry in entries):
            heard.set()

    def hear_of(topics: Collection[str]) -> None:
        if page["topic"] in topics:
            heard.set()

    services.hub.watch(hear)
    services.hub.watch_heads(hear_of)  # of other nodes, where no client of this one follows the topic
    try:
        page = await services.read(_page, request)  # entries may have come before `watch`
        if not page["events"]:
            with suppress(TimeoutError):
                async with asyncio.timeout(request.wait):
                    await heard.wait()
            page = await services.read(_page, request)
    finally:
        services.hub.unwatch(hear)
        services.hub.unwatch_heads(hear_of)
    return page


def _page(connection: Connection, request: Tail) -> Answer:
    """Return entries with the position after them.

    `reset` says that the position is of another history, or that entries after it are gone.
    """
    topic, name = _topic(connection, request.topic)
    epoch = log.epoch(connection)
    head, floor = log.position(connection, topic) or (0, 0)
    answer: Answer = {"topic": topic, "name": name, "epoch": epoch, "floor": floor, "head": head}
    if request.after is None:
        return {**answer, "events": [], "last": head, "reset": False}
    lost = request.after > head or request.epoch not in (None, epoch)
    after = head if lost else max(request.after, floor)
    page = log.since(connection, topic, after, PAGE)
    assert page is not None, "the position is between floor and head"
    events = [orjson.loads(text) for text in page.texts]
    return {**answer, "events": events, "last": page.last, "reset": lost or after > request.after}


def _topic(connection: Connection, given: str) -> tuple[str, str]:
    """Return topic and name of a room, given by id or name, or of the site. Raises NotFound."""
    if given == SITE:
        return SITE, SITE
    number = given.removeprefix("room:")
    if number.isascii() and number.isdecimal() and len(number) <= 16:
        topic = room_topic(int(number))
        if log.position(connection, topic) is not None:
            return topic, topic
    found = rooms.by_name(connection, given) if 0 < len(given) <= MAX_ROOM_NAME else []
    if not found:
        raise NotFound(f"There is no room called {one_line(given[:MAX_ROOM_NAME])}.")
    if len(found) > 1:
        ids = ", ".join(str(id_) for id_, _ in found[:5])
        raise Conflict(f"Several rooms have this name. Give the id of one: {ids}.")
    return room_topic(found[0][0]), found[0][1]


def read(connection: Connection, request: Reading, settings: Settings) -> Answer:
    """Answer a request that only reads, in any process that can read the database.

    `settings` are those of the process.
    """
    match request:
        case ListUsers():
            return _list_users(connection, request.after)
        case Tail():
            return _page(connection, request)
        case ListSettings():
            stored, fixed = site_settings.load(connection), settings.fixed
            return _settings(describe(effective(settings, fixed, stored), fixed, stored))
        case ListFollowers():
            listed, more = followers.listing(connection, request.after, PAGE_OF_FOLLOWERS)
            return {"followers": [each.model_dump() for each in listed], "more": more}
        case ListDeadLetters():
            try:
                found = followers.dead_letters(connection, SYSTEM, request.follower, request.after, PAGE + 1)
            except NotFound:
                raise NotFound(_no_follower(request.follower)) from None
            return {"dead_letters": [each.model_dump() for each in found[:PAGE]], "more": len(found) > PAGE}


def _settings(found: Sequence[Setting]) -> Answer:
    return {"settings": [each.model_dump() for each in found]}


async def _change_setting(services: Services, request: ChangeSetting) -> Answer:
    """Set or unset a setting; return what staff sees of it, none if it is gone."""
    try:
        command: Command
        if request.value is None:
            command = c.UnsetSetting(setting=request.setting)
        else:
            command = c.SetSetting(setting=request.setting, value=request.value)
            if command.setting in SETTINGS:
                value = check(command.setting, request.value, strict=False)
                command = c.SetSetting(setting=request.setting, value=value)
    except ValidationError as error:
        if any(each["loc"][:1] == ("setting",) for each in error.errors()):
            raise NotFound(NO_SETTING) from None
        raise refuse(error) from None
    except WrongValue as error:
        raise BadRequest(f"{request.setting}: {error}.") from None
    try:
        await services.journal.submit(command, SYSTEM)
    except NotFound:
        raise NotFound(NO_SETTING) from None
    return _settings([each for each in services.live_settings.describe() if each.setting == request.setting])


async def _about_a_follower(services: Services, kind: type[Command], request: Routed, **fields: object) -> Answer:
    try:
        command = kind.model_validate(fields)
    except ValidationError as error:
        raise refuse(error) from None
    try:
        await services.journal.submit(command, SYSTEM)
    except NotFound:
        if isinstance(request, SetFollowerPaused):
            raise NotFound(_no_follower(request.follower)) from None
        raise NotFound("There is no such follower, topic or dead letter.") from None
    return {}


def _no_follower(name: str) -> str:
    return f"There is no follower called {one_line(name)[:64]}."


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
        {**account.profile().model_dump(), "disabled": account.disabled, "deleted": account.is_deleted}
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


def socket_of(data: Path, number: int) -> Path:
    """Return the operator's socket of a process, by its number in the data folder."""
    return data / (f"control.{number}.sock" if number else SOCKET)


def sockets(data: Path) -> dict[int, Path]:
    """Return the operator's sockets of a data folder by number; a process that was killed leaves its own."""
    found = {0: data / SOCKET}
    for path in sorted(data.glob("control.*.sock")):
        number = path.name.split(".")[1]
        if number.isdecimal():
            found[int(number)] = path
    return found


@contextmanager
def short_path(path: Path) -> Iterator[str]:
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
