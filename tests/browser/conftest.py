"""Fixtures that open real Chromium windows on a real server."""

import shutil
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser import fonts
from tests.browser.person import Person
from tests.browser.windows import Windows
from tests.support import depth
from tests.support.server import Server

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SHELL = ("chromium-headless-shell", "chrome-headless-shell")
"""The browser without its own windows and menus, which takes two thirds of the processor time.

`make prove` uses the whole browser.
"""
WHOLE = ("test_reading.py",)
"""Tests that need the whole browser: in the shell, all tabs have the focus."""
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

LAYOUT = ("test_keyboard.py", "test_markup.py", "test_timeline.py")
"""Tests of the layout, which run with few fonts and with many (`fonts.py`).

In `make test`, only those in FONTS_MATTER_MOST do; the others in LAYOUT run with many. All other tests
use the machine's own fonts, or those that HUBBUB_TEST_FONTS names.
"""

SERVICE_WORKER = ("test_mounted.py", "test_offline.py", "test_origin.py", "test_service_worker.py")
"""Tests with the service worker, which caches the page in every new window.

All others do without in `make test`, as browsers do on insecure origins. In `make prove` they have it.
"""
NO_SERVICE_WORKER = "delete Navigator.prototype.serviceWorker"

FRESH = (*SERVICE_WORKER, *WHOLE, "test_lazy_loading.py")
"""Tests that need new windows. All others use a window of the module again (`windows.py`)."""

FONTS_MATTER_MOST = ("test_timeline.py",)

# Shared cores stall for seconds now and then; Playwright's default is five.
expect.set_options(timeout=20_000)


def chromium(*, whole: bool = True) -> str | None:
    """Return the first supported browser on the PATH."""
    names = NAMES if whole else SHELL + NAMES
    return next(filter(None, map(shutil.which, names)), None)


OpenWindow = Callable[..., Person]
Environment = dict[str, str | float | bool] | None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "system_fonts" in metafunc.fixturenames and Path(str(metafunc.module.__file__)).name in LAYOUT:
        both = depth.PROVING or Path(str(metafunc.module.__file__)).name in FONTS_MATTER_MOST
        chosen = [fonts.CHOICE] if fonts.CHOICE else ["few", "many"] if both else ["many"]
        metafunc.parametrize("system_fonts", chosen, indirect=True, scope="module")


@pytest.fixture(scope="module")
def system_fonts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The environment with the chosen fonts and none of the machine's own."""
    name = getattr(request, "param", fonts.CHOICE)
    if not name:
        return None
    if why := fonts.missing(name):
        pytest.skip(why)
    return fonts.environment(name, tmp_path_factory.mktemp("fonts"))


class LastBrowser:
    """The browser of this process, which one module after another uses.

    While it runs, Playwright's own event loop prevents asynchronous tests: it ends before the next
    test outside this directory.
    """

    def __init__(self) -> None:
        self._launch: tuple[str, Environment] | None = None
        self._running = ExitStack()
        self._browser: Browser | None = None

    def get(self, executable: str, environment: Environment) -> Browser:
        """Return the running browser if it was launched like this, else a new one."""
        if self._browser is None or self._launch != (executable, environment):
            self.close()
            playwright = self._running.enter_context(sync_playwright())
            self._browser = playwright.chromium.launch(executable_path=executable, args=FLAGS, env=environment)
            self._running.callback(self._browser.close)
            self._launch = (executable, environment)
        return self._browser

    def close(self) -> None:
        self._browser = None
        self._running.close()


_last = LastBrowser()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Generator[None, object, object]:
    try:
        return (yield)
    finally:
        if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
            _last.close()


def pytest_sessionfinish() -> None:
    _last.close()


@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest, system_fonts: Environment) -> Browser:
    found = chromium(whole=depth.PROVING or request.path.name in WHOLE)
    if found is None:
        pytest.skip("no Chromium on the PATH: install one to run the browser tests")
    return _last.get(found, system_fonts)


def a_window(
    browser: Browser, server: Server, width: int = 1180, height: int = 760, *, service_worker: bool = False
) -> Person:
    """Open a browser window on `server`; the caller closes its context."""
    context = browser.new_context(viewport={"width": width, "height": height}, locale="en-GB")
    if not service_worker:
        context.add_init_script(NO_SERVICE_WORKER)
    return Person(server, context.new_page())


def assert_quiet(people: Iterable[Person]) -> None:
    complaints = [line for person in people for line in person.complaints()]
    assert not complaints, "the browser complained:\n" + "\n".join(complaints)


@pytest.fixture(scope="module")
def windows(browser: Browser) -> Iterator[Windows]:
    """The windows of a module, which its tests use one after another."""
    kept = Windows()
    with kept.watching():
        yield kept
    kept.close()


@pytest.fixture
def open_window(
    request: pytest.FixtureRequest, browser: Browser, server: Server, windows: Windows
) -> Iterator[OpenWindow]:
    """Return `open_window()`, which opens a browser window on `server` or another one.

    Its console must have no errors.
    """
    people: list[Person] = []
    service_worker = depth.PROVING or request.path.name in SERVICE_WORKER
    keep = not (depth.PROVING or request.path.name in FRESH)

    def open_one(on: Server | None = None, width: int = 1180, height: int = 760) -> Person:
        page = windows.take(width, height) if keep and on in (None, server) else None
        if page is not None:
            people.append(Person(server, page))
        else:
            people.append(a_window(browser, on or server, width, height, service_worker=service_worker))
        windows.is_new(people[-1].page)
        return people[-1]

    yield open_one
    for person in people:
        if not keep or person.server is not server or not windows.put_back(person):
            person.page.context.close()
    assert_quiet(people)
