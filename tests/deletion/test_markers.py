"""Deleted text is gone: a marker in every text field of every command, on a real server.

A new command or field takes part by itself. Its text must be gone after the deletion, or the test
must say until when it stays.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from hubbub.domain.commands import DeleteAccount, TrimTopic
from hubbub.domain.model import SYSTEM
from hubbub.storage.database import Database
from tests.authorisation.world import create_users
from tests.bugs.sides import NAMES, Side
from tests.deletion import markers
from tests.deletion.markers import Field, Marked, found, in_backup, in_files, in_tables
from tests.engine.conftest import Store, store_at
from tests.search.conftest import behind
from tests.support.postgres import Postgres
from tests.support.routes import WEBHOOK
from tests.support.server import Account, Server
from tests.support.waiting import eventually_async

UNTIL: dict[Field, str] = {
    ("message.send", "key"): "for ever",  # it recognises a retry
    ("message.forward", "key"): "for ever",
    ("reaction.add", "emoji"): "trim",  # in entries of the room's log
    ("reaction.remove", "emoji"): "trim",
    ("room.create", "name"): "trim",  # in the logs of the room, of its members and of the site
    ("room.create", "topic"): "trim",
    ("room.create", "description"): "trim",
    ("room.create", "key"): "account",  # with the answer for retries
    ("room.update", "name"): "trim",
    ("room.update", "topic"): "trim",
    ("room.update", "description"): "trim",
    ("member.ban", "reason"): "trim",  # in the log of the banned user
    ("status.set", "text"): "account",  # in the user's own log, or until that is trimmed
    ("status.set", "emoji"): "account",
    ("status.set", "until"): "account",
    ("events.since", "epoch"): "never stored",
}
"""Until when a text stays; docs/operations.md says the same. All other texts go when the message is
deleted, or when another text replaces them."""
STAGES = ("never stored", "deletion", "account", "trim", "for ever")
PATIENCE = 60.0

Start = Callable[..., Any]


def staying(since: str) -> set[Field]:
    """Return the fields whose text stays after this stage."""
    later = STAGES[STAGES.index(since) + 1 :]
    return {where for where in markers.fields() if UNTIL.get(where, "deletion") in later}


@asynccontextmanager
async def started(server: Server, people: dict[str, Account]) -> AsyncIterator[Marked]:
    with server:
        side = await Side.enter(server, people, "a")
        yield Marked(side)
        await side.leave()
        await asyncio.to_thread(server.stop)


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    settings = {"HUBBUB_LOG_LEVEL": "debug"}
    with ExitStack() as after:
        if request.param == "postgresql":
            engine: Postgres = request.getfixturevalue("postgres_server")
            settings["HUBBUB_DATABASE_URL"] = engine.fresh()
            after.callback(engine.drop, settings["HUBBUB_DATABASE_URL"])
        yield Server(tmp_path / "data", settings)


async def test_deleted_text_is_in_no_table_file_log_or_backup(server: Server) -> None:
    people = await create_users(server, [f"{name}-a" for name in NAMES])
    async with started(server, people) as marked:
        await marked.send(markers.COMMANDS)
        assert set(marked.markers) == set(markers.fields()), "each field is provoked"
        hook = webhook(people["alice-a"], marked)
        await marked.rearrange()
        names = {text: where for where, text in marked.markers.items()}
        assert len(names) == len(marked.markers), "each marker is unique"

        async def remain(search: Any, *arguments: Any) -> dict[Field, set[str]]:
            traces = await found(search, list(names), *arguments)
            return {names[text]: places for text, places in traces.places.items()}

        await indexed(server, marked)
        await attempted(people["alice-a"], hook)
        before = await remain(in_tables, server.database_url)
        assert set(before) == staying("never stored"), "each text is stored before its deletion"
        if server.database.exists():
            assert set(await remain(in_files, server.data)) >= staying("never stored") - {("status.set", "until")}
        assert before["message.edit", "body"] == {
            "table edits", "table messages", "table search_recent",
        }, "the copy as well"  # fmt: skip

        await marked.delete()
        assert set(await remain(in_tables, server.database_url)) == staying("deletion")
        assert set(await remain(in_backup, server)) == staying("deletion")

        async def files() -> bool:
            return set(await remain(in_files, server.data)) <= staying("deletion")

        await eventually_async(files, PATIENCE, "the files have no deleted text, the write-ahead log included", 0.5)
    assert [where for text, where in names.items() if text in server.log_text()] == [], "the server's output"

    async with store_at(server.database_url) as store:
        await store.journal.submit(DeleteAccount(user=people["alice-a"].id), SYSTEM)
        assert set(await remain(in_tables, server.database_url)) == staying("account")
        await trim(store)
        assert set(await remain(in_tables, server.database_url)) == staying("trim")
    assert set(await remain(in_files, server.data)) <= staying("trim")


async def indexed(server: Server, marked: Marked) -> None:
    """Wait until the search index has the texts of all messages."""

    async def done() -> bool:
        with closing(Database(server.database_url)) as database:
            return await asyncio.to_thread(database.read, behind) == 0

    await eventually_async(done, PATIENCE, "the follower has handled all entries", 0.2)
    texts = [text for (kind, path), text in marked.markers.items() if (kind, path) == ("message.send", "body")]
    assert (await found(in_tables, texts, server.database_url)).places[texts[0]] >= {"table search_recent"}


def webhook(alice: Account, marked: Marked) -> int:
    """Create a webhook for the room of the messages, with a receiver that never answers."""
    fields = {"room": marked.sent["message.send"]["room"], **WEBHOOK}
    return int(alice.request("POST", "/api/webhooks", json=fields).json()["id"])


async def attempted(alice: Account, hook: int) -> None:
    """Wait until attempts are stored."""

    async def done() -> bool:
        answer = await asyncio.to_thread(alice.request, "GET", f"/api/webhooks/{hook}/deliveries")
        return bool(answer.json()["deliveries"])

    await eventually_async(done, PATIENCE, "the server has tried to send an event", 0.2)


async def trim(store: Store) -> None:
    """Trim all logs, as the server does after the retention period."""
    for (topic,) in store.rows("SELECT topic FROM topics"):
        command = TrimTopic(topic=str(topic), before=2**52)
        while (await store.journal.submit(command, SYSTEM)).answer["gone"]:
            pass


CONTROLS: dict[str, set[str]] = {
    "": set(),
    "keep-log-entries": {"table log", "file hubbub.db"},
    "keep-body": {"table messages", "table search_recent", "file hubbub.db"},
    "keep-edits": {"table edits", "file hubbub.db"},
    "keep-tokens": {"table search_recent", "file hubbub.db"},
    "keep-free-pages": {"file hubbub.db"},
    "keep-wal": {"file hubbub.db-wal"},
    "log-texts": {"output"},
}
"""The steps of a deletion that a broken server leaves out, and where the text is then found."""
LATE = {"keep-wal": {"file hubbub.db"}}
"""Where the text may be besides: what a checkpoint copied before the deletion stays until the next one."""


@pytest.mark.parametrize("step", CONTROLS)
async def test_a_text_is_found_where_a_step_of_its_deletion_is_left_out(tmp_path: Path, step: str) -> None:
    server = Server(tmp_path / "data", {"BROKEN": f"erase-at-once {step}"}, ("-m", "tests.support.broken_server"))
    people = await create_users(server, [f"{name}-a" for name in NAMES])
    async with started(server, people) as marked:
        await marked.send(["message.send", "message.edit"])
        await marked.rearrange()
        await indexed(server, marked)
        await marked.delete()
        texts = [text for (_, path), text in marked.markers.items() if path == "body"]

        async def places() -> set[str]:
            tables = await found(in_tables, texts, server.database_url)
            tables.look(texts, server.log_text(), "output")
            files = await found(in_files, texts, server.data)
            return set().union(*tables.places.values(), *files.places.values())

        async def as_expected() -> bool:
            return CONTROLS[step] <= await places() <= CONTROLS[step] | LATE.get(step, set())

        await eventually_async(as_expected, PATIENCE, f"the text is in {CONTROLS[step]} alone", 0.5)


def test_the_list_of_what_stays_names_existing_fields() -> None:
    assert set(UNTIL) <= set(markers.fields())
    assert set(UNTIL.values()) <= set(STAGES)
