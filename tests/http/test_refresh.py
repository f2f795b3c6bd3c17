"""Refresh tokens: each is used once, and reuse of a copied one ends the session."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from tests.support.world import Person, World


async def refresh(person: Person, token: str) -> httpx.Response:
    return await person.post("/token/refresh", json={"refresh_token": token})


async def test_a_refresh_token_works_once_and_its_reuse_ends_the_session(world: World) -> None:
    alice = await world.program("alice")
    visitor = world.visitor()
    second = (await refresh(visitor, alice.refresh)).json()["refresh_token"]
    third = (await visitor.post("/token/refresh", data={"refresh_token": second})).json()["refresh_token"]
    assert (await alice.get("/users/me")).status_code == 200
    assert (await refresh(visitor, alice.refresh)).status_code == 401
    assert (await refresh(visitor, third)).status_code == 401
    assert (await alice.get("/users/me")).status_code == 401


async def test_a_refresh_whose_answer_was_lost_may_be_repeated_also_later(world: World) -> None:
    """Until the new tokens are used: `test_sessions.py`."""
    alice = await world.program("alice")
    first, again = await refresh(alice, alice.refresh), await refresh(alice, alice.refresh)
    world.clock.ahead = 31
    late = await refresh(alice, alice.refresh)
    assert len({answer.json()["refresh_token"] for answer in (first, again, late)}) == 1


async def test_twenty_concurrent_refreshes_return_the_same_successor(world: World) -> None:
    alice = await world.program("alice")
    answers = await asyncio.gather(*(refresh(alice, alice.refresh) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: "", lambda token: token[:-1], lambda token: "x" + token,
        lambda token: token.replace(".0.", ".1."),
        lambda token: token + ".0", lambda token: "é" + token, lambda token: "." * 500, lambda token: "a" * 10_000,
    ],
)  # fmt: skip
async def test_a_forged_refresh_token_is_refused(world: World, spoil: Callable[[str], str]) -> None:
    alice = await world.program("alice")
    assert (await refresh(alice, spoil(alice.refresh))).status_code == 401
    assert (await alice.get("/users/me")).status_code == 200


async def test_an_access_token_expires_and_the_session_continues(world: World) -> None:
    alice = await world.program("alice")
    world.clock.ahead = 540  # The real time that passes meanwhile counts too.
    assert (await alice.get("/users/me")).status_code == 200
    world.clock.ahead = 601
    assert (await alice.get("/users/me")).status_code == 401
    assert (await refresh(alice, alice.refresh)).status_code == 200
