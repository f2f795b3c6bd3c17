"""Fixtures that open real Chromium windows on a real server."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.person import Person
from tests.support.server import Server

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Two cores that are shared with others stand still for seconds now and then; Playwright's own patience is five.
expect.set_options(timeout=20_000)

OpenWindow = Callable[..., Person]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


# For one module only: while it exists, Playwright's own event loop stands in the way of asynchronous tests.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None:
        pytest.skip("no Chromium on the PATH: install one to run the browser tests")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield launched
        launched.close()


def a_window(browser: Browser, server: Server, width: int = 1180, height: int = 760) -> Person:
    """A window of a browser of its own, on `server`; whoever opens it closes its context."""
    context = browser.new_context(viewport={"width": width, "height": height}, locale="en-GB")
    return Person(server, context.new_page())


def assert_quiet(people: Iterable[Person]) -> None:
    complaints = [line for person in people for line in person.complaints()]
    assert not complaints, "the browser complained:\n" + "\n".join(complaints)


@pytest.fixture
def open_window(browser: Browser, server: Server) -> Iterator[OpenWindow]:
    """`open_window()`: a window of a browser of its own, on `server` or another one. Its console must stay quiet."""
    people: list[Person] = []

    def open_one(on: Server | None = None, width: int = 1180, height: int = 760) -> Person:
        people.append(a_window(browser, on or server, width, height))
        return people[-1]

    yield open_one
    for person in people:
        person.page.context.close()
    assert_quiet(people)
