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

import structlog
from fastapi import FastAPI
from sqlalchemy.engine import make_url

from hubbub import meters
from hubbub.bus.local import LocalBus
from hubbub.bus.messages import Codec
from hubbub.clock import Clock
from hubbub.control import SOCKET
from hubbub.delivery.fanout import Fanout
from hubbub.domain.commands import Command, CreateOneTimeToken
from hubbub.domain.errors import Conflict, HubbubError
from hubbub.domain.model import SYSTEM
from hubbub.engine.ephemeral import Ephemeral
from hubbub.engine.external_auth import AuthSettings, ExternalAuth
from hubbub.engine.followers import Followers
from hubbub.engine.history import History
from hubbub.engine.housekeeping import forget_guests, keep_house, watch_history
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
from hubbub.storage.locks import DatabaseInUse, folder_lock, sqlite_lock
from hubbub.storage.postgresql_lock import PostgresLock, Purpose

logger = structlog.get_logger(__name__)

SWITCH_INTERVAL = 0.0005


@asynccontextmanager
async def running(
    settings: Settings,
    clock: Clock | None = None,
    login: AuthSettings | None = None,
    *,
    serving: bool = True,
    new_epoch: bool = False,
) -> AsyncIterator[Services]:
    """A server without its gateways.

    Folder and database are locked, the database is migrated, the journal is running.

    With `login` the host application authenticates the users. A command is not `serving`: it waits
    for a shorter time for the database, and does not decide which signing key belongs to it. With
    `new_epoch` the history begins anew: all clients load everything again.

    Raises WrongSetting, InUse (another process has the folder or the database), KeyUnusable, migrate.TooNew,
    Unavailable (the database does not respond).
    """
    sys.setswitchinterval(SWITCH_INTERVAL)  # so that the writer's thread gets the interpreter back from a busy loop
    settings.check_bus()
    async with AsyncExitStack() as stack:
        stack.enter_context(folder_lock(settings.data))
        services = await _build(settings, clock or Clock(), login, stack, serving=serving, new_epoch=new_epoch)
        meters.attach(services)
        tasks = [watch_loop(services.metrics, services.clock), keep_house(services), watch_history(services)]
        if services.bus.connects:
            tasks.append(keep_positions(services.hub, services.bus))
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
    bus: Bus = LocalBus() if alone else _remote_bus(settings, database, key)
    bus.epoch = mark.epoch
    stack.push_async_callback(bus.close)
    stack.callback(passwords.close)
    people = ConnectionHub(fanout, bus, read, clock, connections_per_user=settings.connections_per_user)
    stack.callback(people.stop)
    signals = Ephemeral(fanout, people, read, clock)
    stack.callback(signals.stop)
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
        logger.warning("connections_ended", count=people.restart(epoch), reason="new epoch")

    def close_mark() -> None:
        if journal.is_stopped:
            epochs.close(settings.data, history.mark)

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
        people.on_announced = followers.hint
        bus.start(people)
        if is_new:
            bus.alert()  # the other nodes must notice the epoch, too
        try:
            await people.compare()
        except HubbubError:
            people.check(None)  # tries until the database answers; connections are refused until then
        live_settings.reload()  # a change of another node since they were read
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
        followers=followers,
        search=SearchIndex(read, journal),
        outbound=outbound,
        webhooks=webhooks,
        tokens=Tokens(key),
        passwords=passwords,
        limits=Limits(clock, enabled=settings.rate_limits),
        metrics=metrics,
        history=history,
        lost_database=lost,
        external_auth=ExternalAuth(login, read, journal) if login is not None else None,
    )


async def serve(settings: Settings) -> None:
    """Run `hubbub serve` until SIGTERM or SIGINT, then drain. A second signal ends the process at once.

    The port opens when everything is ready. A PostgreSQL that is not up yet is waited for.

    Raises what `running` raises; NotUp and WrongSetting if PostgreSQL does not come up or refuses
    the address; DatabaseInUse, after draining, if another server has taken the database.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = signal.SIGINT, signal.SIGTERM

    def begin() -> None:
        stop.set()
        for number in signals:
            loop.remove_signal_handler(number)
            signal.signal(number, _end_at_once)

    for number in signals:
        loop.add_signal_handler(number, begin)
    if not await _database_is_up(settings, stop):
        return
    async with operated(settings) as services, _listening(services) as listener:
        logger.info("listening", host=settings.host, port=listener.port)
        await greet_operator(services, settings.model_copy(update={"port": listener.port}).address)
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((stopping, services.lost_database), return_when=asyncio.FIRST_COMPLETED)
        logger.info("draining")
        if services.lost_database.done():
            stopping.cancel()
            raise DatabaseInUse(services.lost_database.result())


@asynccontextmanager
async def operated(settings: Settings, login: AuthSettings | None = None) -> AsyncIterator[Services]:
    """Like `running`, with the operator's socket and without guests left by a crash."""
    async with running(settings, login=login) as services:
        if not services.bus.connects:  # else they may be connected to another node
            await forget_guests(services, settled=0)
        path = settings.data / SOCKET
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
async def _listening(services: Services) -> AsyncIterator[Listener]:
    listener = Listener()
    settings = services.settings
    await listener.open(compose(services), services, settings.host, settings.port)
    try:
        yield listener
    finally:
        await listener.close(settings.drain_seconds)


async def create_setup_link(services: Services) -> str | None:
    """Return a fresh one-time token that creates the owner; None if there is an owner."""
    if not await services.read(accounts.needs_owner):
        return None
    token = secrets.token_urlsafe(32)
    try:
        await services.journal.submit(CreateOneTimeToken(purpose="setup", token_hash=secret_hash(token)), SYSTEM)
    except Conflict:  # the owner was created meanwhile, on another node
        return None
    return token


async def greet_operator(services: Services, address: str) -> None:
    """Print the server's address and, without an owner, the link to become the owner."""
    out = sys.stdout
    out.write(f"{services.site.name} is at {address}\n")
    token = await create_setup_link(services)
    if token is not None:
        out.write(f"Open this link once to become the owner: {address}/setup#{token}\n")
    out.flush()
    if not address.startswith("https://"):
        logger.warning(
            "plain_http",
            advice="Passwords and messages are not encrypted. Put a proxy with TLS in front, set HUBBUB_PUBLIC_URL.",
        )


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


def _remote_bus(settings: Settings, database: Database, key: bytes) -> Bus:
    """Return the bus of the settings. Raises WrongSetting, OSError, Unavailable."""
    site, codec = database.read(epochs.site), Codec(key, _random_id())
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
