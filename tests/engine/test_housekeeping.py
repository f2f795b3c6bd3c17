"""Housekeeping: what is deleted when, in which steps, and not by a wrong clock."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import insert, text, update

from hubbub.domain.commands import CloseGuest, CreateRoom, OpenGuest, Prune, TrimTopic
from hubbub.domain.model import SYSTEM, user_topic
from hubbub.engine import housekeeping
from hubbub.storage import log
from hubbub.storage.schema import answers, links
from tests.rooms.conftest import World
from tests.rooms.conftest import store as store
from tests.rooms.conftest import world as world
from tests.support.world import World as RunningWorld
from tests.support.world import world_at

DAY = 86_400_000


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[RunningWorld]:
    async with world_at(tmp_path / "data") as made:
        yield made


def count(running: RunningWorld, table: str) -> int:
    query = text(f"SELECT count(*) FROM {table}")
    return int(running.services.database.read(lambda connection: connection.execute(query).scalar_one()))


async def test_an_answer_is_given_again_for_a_month(running: RunningWorld) -> None:
    anna = await running.program("anna")
    first = await anna.post("/api/rooms", json={"name": "A room", "key": "k"})
    for days in (29, 2):
        anna = await running.token("anna")
        assert (await anna.post("/api/rooms", json={"name": "A room", "key": "k"})).json() == first.json()
        assert count(running, "answers") == 1
        running.clock.ahead += days * DAY / 1_000
        await housekeeping.prune(running.services)
    assert count(running, "answers") == 0


async def test_answers_and_one_time_tokens_are_deleted_in_steps(world: World) -> None:
    for number in range(5):
        await world.do(CreateRoom(name=f"Room {number}", key=f"{number}"))
    with world.store.elsewhere() as other:
        other.execute(update(answers).where(answers.c.key != "4").values(created_at=500))
        common = {"purpose": "setup", "created_at": 0}
        other.execute(insert(links), [{**common, "token_hash": f"{n}", "expires_at": n * 100} for n in range(4)])
        other.execute(insert(links).values(**common, token_hash="for ever"))
    answered = Prune(what="answers", before=1_000, limit=3)
    assert [(await world.do(answered, SYSTEM))["gone"] for _ in range(3)] == [3, 1, 0]
    assert world.store.rows("SELECT key FROM answers") == [("4",)]
    tokens = Prune(what="tokens", before=250, limit=2)
    assert [(await world.do(tokens, SYSTEM))["gone"] for _ in range(3)] == [2, 1, 0]
    assert {row[0] for row in world.store.rows("SELECT token_hash FROM links")} == {"3", "for ever"}
    await world.do(Prune(what="tokens", before=2**52), SYSTEM)
    assert {row[0] for row in world.store.rows("SELECT token_hash FROM links")} == {"for ever"}


async def test_the_topic_of_a_guest_who_left_nothing_goes_with_its_last_entry(world: World) -> None:
    made = await world.do(OpenGuest(username="visitor"), SYSTEM)
    guest = made["user"]["id"]  # type: ignore[index]
    topic = user_topic(guest)
    query = f"SELECT count(*) FROM topics WHERE topic = '{topic}'"
    await world.do(CloseGuest(user=guest), SYSTEM)
    assert world.store.rows(query) == [(1,)]
    assert world.store.rows(f"SELECT count(*) FROM log WHERE topic = '{topic}'") != [(0,)]
    await world.do(TrimTopic(topic=topic, before=2**52), SYSTEM)
    assert world.store.rows(query) == [(0,)]
    own = user_topic(world.alice.id)
    await world.do(TrimTopic(topic=own, before=2**52), SYSTEM)
    assert world.store.rows(f"SELECT count(*) FROM topics WHERE topic = '{own}'") == [(1,)], "users keep theirs"


async def test_trimming_walks_over_all_topics_in_bounded_steps(world: World) -> None:
    total = len(world.store.rows("SELECT topic FROM topics"))
    found: list[str] = []
    after, steps = "", 0
    while True:
        some, last = world.store.database.read(log.trimmable, 2**52, after, 2)
        found, steps = found + some, steps + 1
        if last is None:
            break
        after = last
    assert steps >= total // 2
    wanted = world.store.rows("SELECT DISTINCT topic FROM log ORDER BY topic")
    assert found == [row[0] for row in wanted]


async def content(running: RunningWorld) -> dict[str, int]:
    oldest = running.services.database.read(lambda c: c.execute(text("SELECT sum(floor) FROM topics")).scalar_one())
    return {
        "sessions": count(running, "sessions"),
        "answers": count(running, "answers"),
        "trimmed": int(oldest),
    }


async def old_content(running: RunningWorld) -> dict[str, int]:
    """Make a session, an answer and entries of the log."""
    anna = await running.program("anna")
    await anna.post("/api/rooms", json={"name": "A room", "key": "k"})
    before = await content(running)
    assert before == {"sessions": 1, "answers": 1, "trimmed": 0}
    return before


@pytest.mark.parametrize("days", [40, -40])
async def test_a_server_that_starts_with_a_wrong_clock_deletes_nothing(running: RunningWorld, days: int) -> None:
    before = await old_content(running)
    running.clock.ahead += days * DAY / 1_000
    await housekeeping.run_steps(running.services, 0.0)
    assert await content(running) == before


async def test_a_clock_near_the_newest_event_is_trusted_at_once(running: RunningWorld) -> None:
    """The negative control: the same rows, at the same time."""
    await old_content(running)
    running.clock.ahead += 40 * DAY / 1_000
    await running.create("berta")
    await housekeeping.run_steps(running.services, 0.0)
    after = await content(running)
    assert (after["sessions"], after["answers"]) == (0, 0)
    assert after["trimmed"] > 0


async def test_after_an_hour_any_clock_is_trusted(running: RunningWorld) -> None:
    """A site where nothing has happened for weeks deletes what is old, too."""
    await old_content(running)
    running.clock.ahead += 40 * DAY / 1_000
    await housekeeping.run_steps(running.services, housekeeping.INTERVAL)
    after = await content(running)
    assert (after["sessions"], after["answers"]) == (0, 0)
    assert after["trimmed"] > 0
