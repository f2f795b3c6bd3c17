"""Password hashing of 0.1 ms in place of 30 ms.

Tests create thousands of accounts and sessions. The tests of the hashing itself, and those that
compare the durations of log-ins, use the product's parameters.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher

from hubbub.engine import passwords

HASHER = "PasswordHasher"
VARIABLE = "PYTEST_QUICK_PASSWORDS"
"""An environment variable: a forked server hashes quickly unless it is empty."""


def use() -> None:
    """Let every `Passwords` that this process creates hash quickly."""
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    setattr(passwords, HASHER, lambda **_: quick)


@contextmanager
def used() -> Iterator[None]:
    """Let every `Passwords` that is created in the block hash quickly."""
    try:
        use()
        yield
    finally:
        setattr(passwords, HASHER, PasswordHasher)
