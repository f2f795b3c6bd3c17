"""Password hashing is slow, bounded, and equally slow for unknown users."""

import asyncio
import subprocess
import sys
from collections import Counter
from time import process_time

import argon2
import pytest

from hubbub.domain.errors import Busy
from hubbub.domain.passwords import COMMON, MIN_CHARACTERS, check_password
from hubbub.engine.passwords import Passwords


async def test_a_hash_is_argon2id_with_the_documented_parameters() -> None:
    passwords = Passwords()
    stored = await passwords.hash("correct horse")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify(stored, "correct horse")
    assert not await passwords.verify(stored, "correct horse ")
    assert not await passwords.verify("no hash at all", "correct horse")
    assert not await passwords.verify(None, "no user has this password")
    assert not passwords.needs_rehash(stored)
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash("correct horse")
    assert passwords.needs_rehash(weak)
    assert await passwords.verify(weak, "correct horse")
    passwords.close()


async def test_a_full_hashing_queue_answers_busy() -> None:
    passwords = Passwords(workers=1, queue=5)
    results = await asyncio.gather(*(passwords.verify(None, "x") for _ in range(20)), return_exceptions=True)
    assert Counter(type(result) for result in results) == {bool: 6, Busy: 14}
    assert await passwords.verify(None, "x") is False
    passwords.close()


async def test_a_cancelled_verification_keeps_its_queue_slot_until_the_thread_is_done() -> None:
    passwords = Passwords(workers=1, queue=0)
    task = asyncio.ensure_future(passwords.verify(None, "x"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(Busy):
        await passwords.verify(None, "x")
    passwords.close()


async def test_verifying_an_unknown_user_costs_as_much_as_a_known_one() -> None:
    passwords = Passwords()
    stored = await passwords.hash("correct horse")
    times: dict[str | None, list[float]] = {stored: [], None: []}
    for _ in range(8):
        for known in times:
            before = process_time()
            await passwords.verify(known, "wrong")
            times[known].append(process_time() - before)
    # Compare processor time, and the least of eight: a missing hash would be 1,000 times faster.
    assert 0.5 < min(times[None]) / min(times[stored]) < 2
    passwords.close()


def test_the_list_of_common_passwords_holds_passwords_that_pass_the_other_rules() -> None:
    assert len(COMMON) >= 200
    assert all(len(password) >= MIN_CHARACTERS and password == password.casefold() for password in COMMON)
    for password in ("password1", "QWERTYUIOP", "12345678"):
        with pytest.raises(ValueError, match="guess"):
            check_password(password)


RESIDENT = """
import asyncio, sys
from hubbub.engine import heap
from hubbub.engine.passwords import Passwords

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

async def main():
    passwords = Passwords()
    before = resident()
    for _ in range(3):
        await asyncio.gather(*(passwords.hash("a password") for _ in range(8)))
    print(resident() - before)

if sys.argv[1] == "control":
    heap.trim_thread = lambda: None
asyncio.run(main())
"""


def grown(mode: str) -> int:
    """Return by how many bytes a process has grown after it has hashed passwords."""
    command = [sys.executable, "-c", RESIDENT, mode]
    return int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout)


def test_threads_without_further_work_give_the_memory_of_hashes_back() -> None:
    assert grown("as it is") < 8 * 2**20


def test_control_without_trimming_each_thread_keeps_the_memory_of_a_hash() -> None:
    assert grown("control") > 16 * 2**20


async def test_a_hash_that_is_given_up_before_it_begins_does_not_count_as_waiting() -> None:
    passwords = Passwords(workers=1, queue=5)
    running, given_up = (asyncio.create_task(passwords.hash("a password")) for _ in range(2))
    await asyncio.sleep(0)
    given_up.cancel()
    await running
    assert len(passwords._waiting) == 0
    passwords.close()


async def log_ins_of_many(passwords: Passwords) -> tuple[list[str], Counter[type]]:
    """Let one network ask for more hashes than there are places, then another for one. Return who was answered."""
    answered: list[str] = []

    async def one(place: str) -> bool:
        try:
            return await passwords.verify(None, "wrong", place)
        finally:
            answered.append(place)

    flood = [asyncio.create_task(one("flood")) for _ in range(80)]
    await asyncio.sleep(0)
    visitor = asyncio.create_task(one("visitor"))
    results = await asyncio.gather(*flood, return_exceptions=True)
    await visitor
    return answered, Counter(type(result) for result in results)


async def test_a_flood_of_one_network_does_not_make_the_queue_busy_for_others() -> None:
    passwords = Passwords(workers=2, queue=50)
    answered, told = await log_ins_of_many(passwords)
    assert told == {bool: 51, Busy: 29}, "the newest of the flood made room"
    assert answered.index("visitor") < 29 + 5, "the visitor's turn comes next"
    assert not passwords._waiting
    assert passwords._count == passwords._running == 0
    passwords.close()


async def test_control_without_networks_a_flood_makes_the_queue_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    verify = Passwords.verify
    monkeypatch.setattr(Passwords, "verify", lambda self, stored, password, place="": verify(self, stored, password))
    with pytest.raises(Busy):
        await log_ins_of_many(Passwords(workers=2, queue=50))
