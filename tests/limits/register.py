"""Which test is about which limit."""

from collections.abc import Awaitable, Callable

from tests.limits.town import Town

WIDE = "😀"
"""One character, four bytes of UTF-8, and two units of UTF-16."""
Test = Callable[[Town], Awaitable[None]]
TESTS: dict[str, Test] = {}


def limit(name: str) -> Callable[[Test], Test]:
    """This test is about that constant."""

    def put(test: Test) -> Test:
        TESTS[name] = test
        return test

    return put
