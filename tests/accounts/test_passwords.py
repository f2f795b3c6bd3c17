"""Password hashing: slow, bounded, and the same for everybody."""

import asyncio
from collections import Counter
from time import process_time

import argon2
import pytest

from hubbub.domain.errors import Busy
from hubbub.domain.passwords import COMMON, MIN_CHARACTERS, check_password
from hubbub.engine.passwords import Passwords


async def test_a_hash_is_argon2id_with_the_parameters_we_promise() -> None:
    passwords = Passwords()
    stored = await passwords.hash("correct horse")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify(stored, "correct horse")
    assert not await passwords.verify(stored, "correct horse ")
    assert not await passwords.verify("no hash at all", "correct horse")
    assert not await passwords.verify(None, "no account has this password")
    assert not passwords.needs_rehash(stored)
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash("correct horse")
    assert passwords.needs_rehash(weak)
    assert await passwords.verify(weak, "correct horse")
    passwords.close()


async def test_over_fifty_in_the_queue_the_others_are_told_to_come_back() -> None:
    passwords = Passwords(workers=1, queue=5)
    results = await asyncio.gather(*(passwords.verify(None, "x") for _ in range(20)), return_exceptions=True)
    assert Counter(type(result) for result in results) == {bool: 6, Busy: 14}
    assert await passwords.verify(None, "x") is False
    passwords.close()


async def test_who_gives_up_waiting_keeps_the_place_until_the_thread_is_done() -> None:
    passwords = Passwords(workers=1, queue=0)
    task = asyncio.ensure_future(passwords.verify(None, "x"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(Busy):
        await passwords.verify(None, "x")
    passwords.close()


async def test_nobody_takes_as_long_as_somebody() -> None:
    passwords = Passwords()
    stored = await passwords.hash("correct horse")
    times: dict[str | None, list[float]] = {stored: [], None: []}
    for _ in range(8):
        for known in times:
            before = process_time()
            await passwords.verify(known, "wrong")
            times[known].append(process_time() - before)
    # Processor time, and the least of eight: a missing hash would be a thousand times faster.
    assert 0.5 < min(times[None]) / min(times[stored]) < 2
    passwords.close()


def test_the_list_of_common_passwords_holds_what_would_pass_otherwise() -> None:
    assert len(COMMON) >= 200
    assert all(len(password) >= MIN_CHARACTERS and password == password.casefold() for password in COMMON)
    for password in ("password1", "QWERTYUIOP", "12345678"):
        with pytest.raises(ValueError, match="guess"):
            check_password(password)
