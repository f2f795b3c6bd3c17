"""Followers over REST, on the command line, and in the metrics."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from hubbub.clock import Clock
from hubbub.domain.model import LOBBY, Role
from hubbub.storage import migrate
from hubbub.storage.database import Database
from tests.conftest import MakeServer, Run
from tests.followers.node import START
from tests.followers.recording import POISON, RecordingFollower
from tests.metrics.reading import samples
from tests.support.waiting import eventually, eventually_async
from tests.support.world import Person, World, world_at

PATIENCE = 60.0
TOPIC = f"room:{LOBBY}"


@pytest.fixture
async def world(tmp_path: Path, folder: Path) -> AsyncIterator[World]:
    async with world_at(tmp_path / "data") as found:
        found.services.followers._interval = 0.2
        await found.services.followers.add(RecordingFollower(folder))
        yield found


async def say(who: Person, body: str, key: str) -> int:
    answer = await who.post(f"/api/rooms/{LOBBY}/messages", json={"key": key, "body": body})
    assert answer.status_code == 201, answer.text
    seq: int = answer.json()["seq"]
    return seq


async def follower(who: Person) -> dict[str, object]:
    """Return what staff sees of the test's follower; the server has one for the search."""
    (found,) = (each for each in (await who.get("/api/followers")).json()["followers"] if each["name"] == "recording")
    return dict(found)


def received(folder: Path) -> list[str]:
    file = folder / "received"
    return file.read_text().splitlines() if file.exists() else []


async def test_staff_pauses_and_resumes_a_follower_and_sees_its_lag(world: World, folder: Path) -> None:
    owner = await world.program("owner", Role.OWNER)
    paused = await owner.post("/api/followers/recording/pause")
    assert paused.status_code == 200
    first = await say(owner, "hello", "a")
    found = await follower(owner)
    assert (found["state"], found["scope"], found["dead_letter_count"]) == ("paused", "room:", 0)
    assert found["entry_count"]
    assert found["oldest_at"]
    gauge = 'hubbub_follower_behind_entries{kind="recording"}'
    await eventually(lambda: samples(world.services.metrics)[gauge] > 0, PATIENCE, "the lag is a metric")
    assert received(folder) == []
    await owner.post("/api/followers/recording/resume")
    await eventually(lambda: received(folder) == [f"{TOPIC} {first}"], PATIENCE, "the message arrives")
    handled = 'hubbub_follower_handled_total{kind="recording"}'
    await eventually(lambda: samples(world.services.metrics)[handled] == 1, PATIENCE, "it is counted")


async def test_staff_sees_a_failing_follower_and_resumes_it_before_its_next_attempt(world: World, folder: Path) -> None:
    owner = await world.program("owner", Role.OWNER)
    (folder / "down").touch()
    seq = await say(owner, "hello", "a")

    async def failing() -> bool:
        found = await follower(owner)
        return bool(found["failing_since"] and found["next_attempt_at"])

    await eventually_async(failing, PATIENCE, "the failure is visible")
    assert (await follower(owner))["last_error"] == "the receiver is down"
    world.services.followers._runners["recording"]._next_attempt_at += 10**9  # as after many failures
    (folder / "down").unlink()
    await owner.post("/api/followers/recording/resume")
    await eventually(lambda: received(folder) == [f"{TOPIC} {seq}"], PATIENCE, "the message arrives")
    assert (await follower(owner))["failing_since"] is None


async def test_staff_lists_dead_letters_page_by_page_and_drops_one(world: World) -> None:
    owner = await world.program("owner", Role.OWNER)
    seqs = [await say(owner, POISON, f"k{n}") for n in range(3)]
    counter = 'hubbub_follower_dead_letters_total{kind="recording"}'
    await eventually(lambda: samples(world.services.metrics)[counter] == 3, PATIENCE, "three dead letters")
    path = "/api/followers/recording/dead-letters"
    page = (await owner.get(path, params={"limit": 2})).json()
    assert [letter["seq"] for letter in page["dead_letters"]] == seqs[:2]
    assert page["more"]
    last = page["dead_letters"][-1]
    rest = (await owner.get(path, params={"after": f"{last['topic']},{last['seq']}"})).json()
    assert [letter["seq"] for letter in rest["dead_letters"]] == seqs[2:]
    assert (await owner.ask("DELETE", f"{path}/{TOPIC}/{seqs[0]}")).status_code == 200
    assert (await owner.ask("DELETE", f"{path}/{TOPIC}/{seqs[0]}")).status_code == 404
    assert (await follower(owner))["dead_letter_count"] == 2


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""), ("GET", "/recording/dead-letters"), ("POST", "/recording/pause"), ("POST", "/recording/resume"),
        ("POST", "/recording/replay"), ("POST", f"/recording/dead-letters/{TOPIC}/1/retry"),
        ("DELETE", f"/recording/dead-letters/{TOPIC}/1"),
    ],
)  # fmt: skip
async def test_members_may_not_see_or_change_followers(world: World, method: str, path: str) -> None:
    alice = await world.program("alice")
    body: dict[str, object] = {"json": {}} if path.endswith("replay") else {}
    assert (await alice.ask(method, f"/api/followers{path}", **body)).status_code == 403


@pytest.mark.parametrize("path", ["/nothing/pause", "/nothing/resume", f"/recording/dead-letters/{TOPIC}/99/retry"])
async def test_a_follower_or_dead_letter_that_does_not_exist_is_not_found(world: World, path: str) -> None:
    owner = await world.program("owner", Role.OWNER)
    assert (await owner.post(f"/api/followers{path}")).status_code == 404


async def test_a_replay_above_the_head_or_outside_the_scope_is_not_found(world: World) -> None:
    owner = await world.program("owner", Role.OWNER)
    for body in ({"topic": TOPIC, "seq": 10**6}, {"topic": "site", "seq": 0}):
        assert (await owner.post("/api/followers/recording/replay", json=body)).status_code == 404


def store_follower(database: Path) -> None:
    """Insert a follower with a dead letter, as a server has just stored it."""
    with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        connection.execute(
            "INSERT INTO followers (name, scope, state, created_at, fence, lease_until, attempts, last_error)"
            " VALUES ('idle', 'room:', 'running', 0, 0, 0, 0, 'broken')"
        )
        now = Clock().now()  # housekeeping deletes old ones
        connection.execute("INSERT INTO dead_letters VALUES ('idle', 'room:1', 3, ?, 8, 'ValueError', 0)", (now,))


def test_the_command_line_works_without_a_server(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "hubbub.db"
    with closing(Database(f"sqlite:///{path}")) as database:
        migrate.upgrade(database, epoch="first", now=START)
    store_follower(path)
    shows(run, tmp_path)


def test_the_command_line_works_through_a_running_server(make_server: MakeServer, run: Run) -> None:
    server = make_server()
    with server:
        store_follower(server.database)
        shows(run, server.data)


def shows(run: Run, data: Path) -> None:
    """Fail unless all commands work."""

    def command(*arguments: str, fails: bool = False) -> str:
        return run("follower", *arguments, "--data", data, fails=fails)

    assert all(word in command("list") for word in ("idle", "running", "broken"))
    assert command("pause", "idle") == "Paused idle.\n"
    assert "paused" in command("list")
    assert command("resume", "idle") == "Resumed idle.\n"
    assert command("replay", "idle", "--topic", "room:1") == "idle goes back to 0 in room:1.\n"
    assert command("replay", "idle") == "idle goes back to 0 in all topics.\n"
    assert "ValueError" in command("dead", "list", "idle")
    assert command("dead", "retry", "idle", "room:1", "3") == "idle will handle room:1 3 again.\n"
    assert "waits for a retry" in command("dead", "list", "idle")
    assert command("dead", "drop", "idle", "room:1", "3") == "Dropped room:1 3.\n"
    assert "ValueError" not in command("dead", "list", "idle")
    assert command("pause", "nothing", fails=True) == "There is no follower called nothing."
    assert command("dead", "list", "nothing", fails=True) == "There is no follower called nothing."
    assert "no such follower" in command("replay", "nothing", fails=True)
    assert command("pause", "No Name!", fails=True)


async def test_a_follower_is_found_by_name_after_another(world: World, folder: Path) -> None:
    second = RecordingFollower(folder)
    second.name = "recording:2"
    await world.services.followers.add(second)
    owner = await world.program("owner", Role.OWNER)
    page = (await owner.get("/api/followers", params={"limit": 1})).json()
    assert [each["name"] for each in page["followers"]] == ["recording"]
    assert page["more"]
    page = (await owner.get("/api/followers", params={"after": "recording", "limit": 1})).json()
    assert [each["name"] for each in page["followers"]] == ["recording:2"]
