"""Fixtures that open real Chromium windows on a real server."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

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


@pytest.fixture
def open_window(browser: Browser, server: Server) -> Iterator[OpenWindow]:
    """`open_window()`: a window of a browser of its own, on `server` or another one. Its console must stay quiet."""
    people: list[Person] = []

    def open_one(on: Server | None = None, width: int = 1180, height: int = 760) -> Person:
        context = browser.new_context(viewport={"width": width, "height": height}, locale="en-GB")
        person = Person(on or server, context.new_page())
        people.append(person)
        return person

    yield open_one
    for person in people:
        person.page.context.close()
    complaints = [line for person in people for line in person.complaints()]
    assert not complaints, "the browser complained:\n" + "\n".join(complaints)
