"""The composition root: builds, starts and stops a server from its settings."""

import asyncio
import contextlib
import importlib.util
import os
import secrets
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import structlog
from fastapi import FastAPI
from sqlalchemy.engine import make_url

from hubbub import meters
from hubbub.bus.local import LocalBus
from hubbub.bus.messages import Codec
from hubbub.clock import Clock
from hubbub.control import socket_of
from hubbub.delivery.fanout import Fanout
from hubbub.domain.commands import Command, CreateOneTimeToken
from hubbub.domain.errors import Conflict, HubbubError
from hubbub.domain.model import SYSTEM
from hubbub.engine.ephemeral import Ephemeral
from hubbub.engine.external_auth import AuthSettings, ExternalAuth
from hubbub.engine.followers import Followers
from hubbub.engine.guests import forget_guests, keep_guests
from hubbub.engine.history import History
from hubbub.engine.housekeeping import keep_house, watch_history
from hubbub.engine.journal import Journal
from hubbub.engine.limits import Limits
from hubbub.engine.live_connections import ConnectionHub
from hubbub.engine.online_members import HereResolver
from hubbub.engine.passwords import Passwords
from hubbub.engine.ports import Bus
from hubbub.engine.positioning import keep_positions
from hubbub.engine.search import SearchIndex
from hubbub.engine.services import Readers, Services
from hubbub.engine.site_settings import LiveSettings
from hubbub.engine.webhooks import Webhooks
from hubbub.features import accounts
from hubbub.gateways.asgi.gateway import AsgiGateway
from hubbub.gateways.http.app import create_app
from hubbub.gateways.http.operator import create_operator_app
from hubbub.gateways.native.listener import Listener
from hubbub.gateways.operator_socket import operator_socket
from hubbub.gateways.plain.gateway import PlainText
from hubbub.gateways.websocket.reject import not_found
from hubbub.metrics import Metrics, watch_loop
from hubbub.outbound import OutboundClient, Policy
from hubbub.protocol.tokens import Tokens, secret_hash
from hubbub.settings import Settings, WrongSetting
from hubbub.storage import epochs, migrate, postgresql, postgresql_startup, signing_key, site_settings
from hubbub.storage.database import Database
from hubbub.storage.locks import DatabaseInUse, check_system, folder_lock, shared_folder_lock, sqlite_lock
from hubbub.storage.postgresql_lock import PostgresLock, Purpose

if TYPE_CHECKING:
    from hubbub.engine.site_presence import SitePresence

logger = structlog.get_logger(__name__)

SWITCH_INTERVAL = 0.0005
BOLD_GREEN, PLAIN = "\x1b[1;32m", "\x1b[0m"


@asynccontextmanager
async def running(
    settings: Settings,
    clock: Clock | None = None,
    login: AuthSettings | None = None,
    *,
    serving: bool = True,
    new_epoch: bool = False,
    worker: int | None = None,
    labelled: bool = False,
) -> AsyncIterator[Services]:
    """A server without its gateways.

    Folder and database are locked, the database is migrated, the journal is running.

    With `login` the host application authenticates the users. A command is not `serving`: it waits
    for a shorter time for the database, and does not decide which signing key belongs to it. With
    `new_epoch` the history begins anew: all clients load everything again. With a bus, the folder is
    shared: `worker` is the number that the process wants there, and `labelled` says that its metrics
    are shown with those of the others.

    Raises WrongSetting, Unsupported (the operating system), InUse (another process has the folder or the database),
    KeyUnusable, migrate.TooNew,
    Unavailable (the database does not respond).
    """
    sys.setswitchinterval(SWITCH_INTERVAL)  # so that the writer's thread gets the interpreter back from a busy loop
    settings.check_bus()
    async with AsyncExitStack() as stack:
        number = None
        if serving and settings.bus_url is not None:
            number = stack.enter_context(shared_folder_lock(settings.data, worker))
        else:
            stack.enter_context(folder_lock(settings.data))
        services = await _build(settings, clock or Clock(), login, stack, serving=serving, new_epoch=new_epoch)
        services = replace(services, number=number or 0, worker=number if labelled else None)
        meters.attach(services)
        tasks = [watch_loop(services.metrics, services.clock), keep_house(services), watch_history(services)]
        if services.bus.connects:
            tasks.append(keep_positions(services.hub, services.bus))
        if services.site_presence is not None:
            tasks += [services.site_presence.run(), services.site_presence.state.run(), keep_guests(services)]
        if serving:
            tasks.append(services.search.run(services.followers))
            tasks.append(services.webhooks.run(services.followers))
        for work in tasks:
            stack.push_async_callback(_cancel, asyncio.create_task(work))
        yield services


async def _build(
    settings: Settings,
    clock: Clock,
    login: AuthSettings | None,
    stack: AsyncExitStack,
    *,
    serving: bool,
    new_epoch: bool,
) -> Services:
    """Build everything a gateway may use. `stack` closes it."""
    database = Database(settings.database)
    lock, lost = await _lock(database, stack, "serve" if serving else "command", settings.bus_kind if serving else None)
    stack.callback(database.close)  # before its lock is released
    created = _migrate(database, clock)
    alone = settings.bus_url is None or not serving
    if alone:
        key = signing_key.obtain(settings.data, database, serving=serving, signs=login is None)
    else:
        key = signing_key.obtain_shared(settings.data, database, in_database=settings.key_in_database)
    ids = {"epoch": _random_id(), "run": _random_id()}
    mark, is_new = epochs.start(database, settings.data, **ids, created=created, wanted=new_epoch, alone=alone)
    history = History(mark, _random_id, alone=alone)
    metrics, fanout, read, passwords = Metrics(), Fanout(), Readers(database), Passwords()
    bus: Bus = LocalBus() if alone or lock is None else _remote_bus(settings, database, key, lock.token)
    bus.epoch = mark.epoch
    stack.push_async_callback(bus.close)
    stack.callback(passwords.close)
    people = ConnectionHub(fanout, bus, read, clock, connections_per_user=settings.connections_per_user)
    stack.callback(people.stop)
    signals = Ephemeral(fanout, people, read, clock)
    stack.callback(signals.stop)
    site_presence = None if alone else _site_presence(people, signals, bus, clock)
    bounds = {"max_commands": settings.queue_commands, "max_bytes": settings.queue_bytes}
    journal = Journal(database, clock, people.publish, **bounds, observe=meters.observer(metrics), history=history)
    live_settings = LiveSettings(settings, database.read(site_settings.load), read)
    stack.callback(live_settings.stop)
    people.watch(live_settings.hear)
    here = HereResolver(people)

    def prepare(command: Command) -> None:
        here(command)
        live_settings.prepare(command)

    journal.prepare = prepare

    def restart(epoch: str) -> None:
        metrics.new_epochs.inc()
        live_settings.reload()
        if site_presence is not None:
            site_presence.state.restart()
        logger.warning("connections_ended", count=people.restart(epoch), reason="new epoch")

    def close_mark() -> None:
        if journal.is_stopped:
            history.close(settings.data)

    journal.on_new_epoch = restart
    if lock is not None:
        lock.on_regained = journal.suspect  # a failover ends the session that holds the lock
    metrics.new_epochs.inc(is_new)
    stack.callback(close_mark)
    journal.start()
    stack.push_async_callback(journal.stop)
    outbound = OutboundClient(_outbound_policy(settings))
    stack.push_async_callback(outbound.close)
    followers = Followers(read, journal, clock, exclusive=database.is_sqlite)
    stack.push_async_callback(followers.stop)
    webhooks = Webhooks(read, journal, clock, outbound)
    if serving:
        people.watch(followers.wake)
        people.watch(webhooks.wake)
        followers.start()
    if not alone:
        people.on_doubt = journal.suspect
        people.watch_heads(followers.hint)
        bus.start(people)
        if is_new:
            bus.alert()  # the other nodes must notice the epoch, too
        try:
            await people.compare()
        except HubbubError:
            people.check(None)  # tries until the database answers; connections are refused until then
        live_settings.reload()  # a change of another node since they were read
    limits = Limits(clock, enabled=settings.rate_limits, bus=None if alone else bus)
    stack.callback(limits.stop)
    return Services(
        bus=bus,
        settings=settings,
        live_settings=live_settings,
        clock=clock,
        database=database,
        read=read,
        journal=journal,
        fanout=fanout,
        hub=people,
        ephemeral=signals,
        site_presence=site_presence,
        followers=followers,
        search=SearchIndex(read, journal),
        outbound=outbound,
        webhooks=webhooks,
        tokens=Tokens(key),
        passwords=passwords,
        limits=limits,
        metrics=metrics,
        history=history,
        lost_database=lost,
        external_auth=ExternalAuth(login, read, journal) if login is not None else None,
    )


class Worker(Protocol):
    """One of several processes that serve one port, as its supervisor sees it."""

    number: int

    async def wait_for_turn(self, stop: asyncio.Event) -> int | None:
        """Say that all but the port is ready; return the port to open, None if `stop` is set before.

        From now on, `stop` is set when the supervisor is gone.
        """

    async def wait_for_greeting(self, stop: asyncio.Event) -> bool:
        """Say that the port is open; return whether this worker greets the operator."""


async def serve(settings: Settings, worker: Worker | None = None) -> None:
    """Run `hubbub serve` until SIGTERM or SIGINT, then drain. A second signal ends the process at once.

    The port opens when everything is ready. A PostgreSQL that is not up yet is waited for.

    Raises what `running` raises; NotUp and WrongSetting if PostgreSQL does not come up or refuses
    the address; DatabaseInUse, after draining, if another server has taken the database.
    """
    check_system()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = signal.SIGINT, signal.SIGTERM

    def begin() -> None:
        stop.set()
        for number in signals:
            loop.remove_signal_handler(number)
            # A worker may get the same signal from its supervisor, which ends it at once if need be.
            signal.signal(number, _end_at_once if worker is None else signal.SIG_IGN)

    for number in signals:
        loop.add_signal_handler(number, begin)
    if not await _database_is_up(settings, stop):
        return
    async with operated(settings, worker=worker.number if worker is not None else None) as services:
        port = settings.port if worker is None else await worker.wait_for_turn(stop)
        if port is None:
            return
        async with _listening(services, port, shared=worker is not None) as listener:
            logger.info("listening", host=settings.host, port=listener.port)
            if worker is None or await worker.wait_for_greeting(stop):
                await greet_operator(services, settings.model_copy(update={"port": listener.port}).address)
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait((stopping, services.lost_database), return_when=asyncio.FIRST_COMPLETED)
            logger.info("draining")
            if services.lost_database.done():
                stopping.cancel()
                raise DatabaseInUse(services.lost_database.result())


@asynccontextmanager
async def operated(
    settings: Settings, login: AuthSettings | None = None, *, worker: int | None = None, labelled: bool = False
) -> AsyncIterator[Services]:
    """Like `running`, with the operator's socket and without guests left by a crash."""
    labelled = labelled or worker is not None
    async with running(settings, login=login, worker=worker, labelled=labelled) as services:
        if not services.bus.connects:  # else they may be connected to another node
            await forget_guests(services, settled=0)
        path = socket_of(settings.data, services.number)
        async with operator_socket(create_operator_app(services), path, settings, services.stopping):
            yield services


def compose(services: Services, sockets: AsgiGateway | None = None) -> FastAPI:
    """Return the application: REST, the web client and plain text.

    `sockets` serves `/ws` where there is no native gateway.
    """
    app = create_app(services)
    if sockets is not None:
        app.router.add_websocket_route("/ws", sockets.serve)
    app.router.add_websocket_route("/ws/{name}", PlainText(services).serve)
    app.router.add_websocket_route("/{path:path}", not_found)
    return app


@asynccontextmanager
async def _listening(services: Services, port: int, *, shared: bool) -> AsyncIterator[Listener]:
    listener = Listener()
    settings = services.settings
    await listener.open(compose(services), services, settings.host, port, shared=shared)
    try:
        yield listener
    finally:
        await listener.close(settings.drain_seconds)


async def create_setup_link(services: Services) -> str | None:
    """Return a one-time token that creates the owner; None if there is an owner.

    It is a fresh one. On a site of several nodes, all of them return the same one.
    """
    if not await services.read(accounts.needs_owner):
        return None
    if services.bus.connects:
        token = services.tokens.derived("setup", services.history.mark.epoch)
    else:
        token = secrets.token_urlsafe(32)
    try:
        await services.journal.submit(CreateOneTimeToken(purpose="setup", token_hash=secret_hash(token)), SYSTEM)
    except Conflict:  # the owner was created meanwhile, on another node
        return None
    return token


async def greet_operator(services: Services, address: str) -> None:
    """Print the server's address and, without an owner, the link to become the owner: the last line of the start."""
    if services.settings.is_plain_http:
        logger.warning(
            "plain_http",
            advice="Passwords and messages are not encrypted. Put a proxy with TLS in front, set HUBBUB_PUBLIC_URL.",
        )
    token = await create_setup_link(services)
    out = sys.stdout
    out.write(f"{services.site.name} is at {address}\n")
    if token is not None:
        link = f"{address}/setup#{token}"
        if out.isatty() and not os.environ.get("NO_COLOR"):
            link = f"{BOLD_GREEN}{link}{PLAIN}"
        out.write(f"Open this link once to become the owner: {link}\n")
    out.flush()


def _outbound_policy(settings: Settings) -> Policy:
    allowed = settings.outbound_allow
    return Policy(
        networks=tuple(entry for entry in allowed if not isinstance(entry, str)),
        hosts=frozenset(entry for entry in allowed if isinstance(entry, str)),
        ports=settings.outbound_port_ranges,
    )


def _migrate(database: Database, clock: Clock) -> bool:
    """Migrate the database. Returns whether it was empty."""
    before, after, backup = migrate.upgrade(database, epoch=_random_id(), now=clock.now())
    if before != after:
        logger.info("migrated", before=before, after=after, backup=str(backup) if backup else None)
    return before is None


def _remote_bus(settings: Settings, database: Database, key: bytes, node: str) -> Bus:
    """Return the bus of the settings for a node. Raises WrongSetting, OSError, Unavailable."""
    site, codec = database.read(epochs.site), Codec(key, node)
    if settings.bus_url == "postgresql":
        from hubbub.bus.postgresql import PostgresBus

        address = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        return PostgresBus(address, site, codec, **postgresql.bus_options())
    if importlib.util.find_spec("nats") is None:  # it is imported only here, since it takes 10 MiB
        raise WrongSetting("A NATS bus needs a client library. Install hubbub[nats].")
    from hubbub.bus.nats import NatsBus, NatsOptions

    options = NatsOptions(
        tuple((settings.bus_url or "").split(",")),
        settings.bus_ca,
        settings.bus_certificate,
        settings.bus_key,
        settings.bus_credentials,
    )
    options.check()
    return NatsBus(options, site, codec)


def _site_presence(hub: ConnectionHub, signals: Ephemeral, bus: Bus, clock: Clock) -> "SitePresence":
    from hubbub.engine.site_presence import SitePresence
    from hubbub.engine.soft_table import SoftState

    return SitePresence(hub, signals, bus, SoftState(bus, clock))


def _random_id() -> str:
    return secrets.token_hex(8)


async def _database_is_up(settings: Settings, stop: asyncio.Event) -> bool:
    """Wait for PostgreSQL if it is not up yet; return False if `stop` was set before.

    Raises NotUp, WrongSetting, Unavailable.
    """
    url = make_url(settings.database)
    if url.get_backend_name() == "sqlite":
        return True
    ended = threading.Event()
    stopping = asyncio.create_task(stop.wait())
    waiting = asyncio.create_task(
        asyncio.to_thread(postgresql_startup.wait_until_up, url, settings.database_wait_seconds, ended)
    )
    try:
        await asyncio.wait((waiting, stopping), return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            ended.set()
        return await waiting
    except postgresql_startup.ConnectionRefused as error:
        raise WrongSetting(
            f"PostgreSQL refuses the connection: {error}. Correct HUBBUB_DATABASE_URL, or the user and the database."
        ) from None
    finally:
        ended.set()
        stopping.cancel()


async def _lock(
    database: Database, stack: AsyncExitStack, purpose: Purpose, bus: str | None
) -> tuple[PostgresLock | None, asyncio.Future[str]]:
    """Lock the database until `stack` ends.

    The lock is None for SQLite. The future completes if another server takes it nevertheless.
    """
    loop = asyncio.get_running_loop()
    lost: asyncio.Future[str] = loop.create_future()
    if database.path is not None:
        stack.enter_context(sqlite_lock(database.path))
        return None, lost

    def report(sentence: str) -> None:
        if not lost.done():
            lost.set_result(sentence)

    lock = PostgresLock(database.url, purpose, lambda sentence: loop.call_soon_threadsafe(report, sentence), bus=bus)
    stack.callback(lock.close)
    await asyncio.to_thread(lock.acquire)
    return lock, lost


def _end_at_once(number: int, _frame: object) -> None:
    """End like a process without a handler, also as process 1 of a container."""
    os._exit(128 + number)


# --- background tasks ------------------------------------------------------------------------------------------------


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
