"""The register of tests by the limit they test."""

from collections.abc import Awaitable, Callable

from tests.limits.world import World

WIDE = "😀"
"""One character, four bytes of UTF-8, and two units of UTF-16."""
Test = Callable[[World], Awaitable[None]]
TESTS: dict[str, Test] = {}


def limit(name: str) -> Callable[[Test], Test]:
    """Register a test for the constant of that name."""

    def put(test: Test) -> Test:
        TESTS[name] = test
        return test

    return put
