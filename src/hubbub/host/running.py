"""The running server, as the interface for the host application sees it.

Every change is a command of the journal, and every query runs on a reader thread, as for requests
of clients. Only rate limits do not apply, because these are the gateways'.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Concatenate, ParamSpec, TypeVar

from pydantic import ValidationError
from sqlalchemy import Connection

from hubbub.domain import names
from hubbub.domain.commands import AdmitIdentity, Command
from hubbub.domain.errors import Conflict, NotFound
from hubbub.domain.host_rooms import check_host_key
from hubbub.domain.identities import BOTS, Identity, check_part
from hubbub.domain.model import SYSTEM, Actor, Role
from hubbub.engine.services import Services
from hubbub.features import host, identities
from hubbub.features.host import NO_USER, FoundUser, RoomKey, UserKey
from hubbub.host.model import Room, RoomRef, User, UserRef
from hubbub.protocol.validation import refuse

A = TypeVar("A")
P = ParamSpec("P")
T = TypeVar("T")

DEFAULT_BOT = "host"
"""The key of the bot that acts where no other user is named."""
NAMELESS_BOT = "Bot"
"""The wanted name of the default bot if the site has a reserved name."""
OTHER_THREAD = "This must be awaited on the server's event loop. From another thread, use hubbub.run(…)."
ON_A_LOOP = "hubbub.run() would block this event loop. In a coroutine, write `await` instead."
NO_HOST_USERS = "This needs Hubbub(authenticate=…): without it, users sign up for accounts of Hubbub itself."


class Host:
    """What the parts of the interface share. It exists before the start and after the end."""

    def __init__(self, not_started: str) -> None:
        self._not_started = not_started
        self._services: Services | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.ending = asyncio.Event()
        """Set when the server is about to stop."""

    def start(self, services: Services) -> None:
        """Let the interface work. Must be called on the server's event loop."""
        self.ending = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._services = services
        services.host_readers.add(self)

    def stop(self, refusal: str) -> None:
        """Refuse every further call with this sentence. Idempotent."""
        self._not_started = refusal
        self._services = None
        self.ending.set()

    def shutdown(self, among: int) -> None:
        """End what reads the log, because the server is about to stop."""
        self.ending.set()

    @property
    def services(self) -> Services:
        """The server. Raises RuntimeError before the start and on another thread."""
        if self._services is None:
            raise RuntimeError(self._not_started)
        if _running_loop() is not self._loop:
            raise RuntimeError(OTHER_THREAD)
        return self._services

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the server's event loop; wait for its result on this thread.

        Raises RuntimeError on a thread with a running event loop, and while the server does not run.
        """
        refusal = None
        if _running_loop() is not None:
            refusal = ON_A_LOOP
        elif self._services is None or self._loop is None:
            refusal = self._not_started
        if refusal is not None or self._loop is None:
            coroutine.close()
            raise RuntimeError(refusal)
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def read(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a query in a read transaction. Raises what it raises, Busy, Unavailable."""
        return await self.services.read(query, *args, **kwargs)

    async def submit(self, command: Command[A], actor: Actor) -> A:
        """Execute a command; return its answer when it is on disk. Raises HubbubError."""
        return (await self.services.journal.submit(command, actor)).answer

    # --- users ----------------------------------------------------------------------------------------------------

    async def user(self, ref: UserRef) -> FoundUser:
        """Return an account. Raises NotFound."""
        found = await self.read(host.user, await self.user_key(ref))
        if found is None:
            raise NotFound(NO_USER)
        return found

    async def user_key(self, ref: UserRef) -> UserKey:
        """Return how a user is looked up. An identity without an account, or with a new name, is provisioned."""
        if isinstance(ref, Identity):
            await self.provision(ref)
            return ref.issuer, ref.subject
        return user_key(ref)

    async def ids(self, refs: Iterable[UserRef]) -> list[int]:
        """Return the ids of users, each once. Raises NotFound if an identity has no account."""
        return await self.read(host.ids_of, [await self.user_key(ref) for ref in refs])

    async def provision(self, identity: Identity) -> None:
        """Create or update the account of an identity."""
        if self.services.external_auth is None:
            raise RuntimeError(NO_HOST_USERS)
        if await self.read(identities.recognise, identity) is None:
            await self.submit(
                AdmitIdentity(
                    issuer=identity.issuer, subject=identity.subject, name=identity.name, role=Role(identity.role)
                ),
                SYSTEM,
            )

    async def bot(self, key: str, name: str | None) -> FoundUser:
        """Return a bot, which is created if there is none. Without a name, it keeps its own."""
        who = (BOTS, check_part("subject", key))
        found = await self.read(host.user, who)
        if found is not None and found.account.is_deleted:
            raise Conflict("This bot was deleted. Use another key.")
        if found is None or name is not None:
            await self.submit(
                AdmitIdentity(issuer=BOTS, subject=key, name=self._name_of_bot(name), role=Role.MEMBER, bot=True),
                SYSTEM,
            )
            found = await self.user(who)
        return found

    def _name_of_bot(self, name: str | None) -> str:
        wanted = self.services.site.name if name is None else Identity("bot", "bot", name).name
        return NAMELESS_BOT if name is None and names.is_reserved(wanted) else wanted

    # --- who acts where -------------------------------------------------------------------------------------------

    async def acting(self, by: UserRef | None, room: RoomRef) -> tuple[Actor, int]:
        """Return the user that acts, the default bot if `by` is None, and the id of the room."""
        where = room_key(room)
        found, number = await self.read(
            host.author, (BOTS, DEFAULT_BOT) if by is None else await self.user_key(by), where
        )
        if found is None and by is not None:
            raise NotFound(NO_USER)
        return actor_of(found or await self.bot(DEFAULT_BOT, None)), number

    async def as_system(self, by: UserRef | None = None) -> Actor:
        """Return a user, the default bot if `by` is None, with the rights of the system."""
        found = await (self.bot(DEFAULT_BOT, None) if by is None else self.user(by))
        return actor_of(found, system=True)

    async def room_id(self, ref: RoomRef) -> int:
        """Return the id of a room. Raises NotFound for an unknown key; an id is not looked up."""
        return await self.read(host.room_id, room_key(ref))


def actor_of(found: FoundUser, *, system: bool = False) -> Actor:
    account = found.account
    return Actor(account.id, account.name, account.role, system=system, bot=account.bot)


def user_key(ref: User | tuple[str, str] | int) -> UserKey:
    """Return how a user is looked up. Raises ValueError, TypeError."""
    if isinstance(ref, User):
        return ref.id
    if isinstance(ref, tuple):
        issuer, subject = ref
        return check_part("issuer", issuer), check_part("subject", subject)
    return _number(ref)


def room_key(ref: RoomRef) -> RoomKey:
    """Return how a room is looked up. Raises ValueError, TypeError."""
    if isinstance(ref, Room):
        return ref.id
    return check_host_key(ref) if isinstance(ref, str) else _number(ref)


def build(kind: type[Command[A]], **fields: Any) -> Command[A]:
    """Return a valid command. Raises BadRequest, TooLarge."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise refuse(error) from None


def _number(ref: object) -> int:
    if isinstance(ref, bool) or not isinstance(ref, int):
        raise TypeError(f"a user or a room is not given by {type(ref).__name__}")
    return ref


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
