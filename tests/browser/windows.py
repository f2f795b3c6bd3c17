"""Windows that tests use one after another.

A new window takes three times the processor time of one that has shown the web client before: a
process starts, and everything is loaded and compiled. A window is cleaned after each test: it has
no cookies, no storage and no history. A test that changes a window for good, such as by a route or
a clock, has it closed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, CDPSession, Error, Page

from tests.browser.person import Person

BOTH = ("add_init_script", "clock", "expose_binding", "expose_function", "on", "once", "route", "route_web_socket",
        "set_extra_http_headers")  # fmt: skip
LASTING: dict[type, tuple[str, ...]] = {
    Page: (*BOTH, "add_locator_handler", "emulate_media"),
    BrowserContext: (*BOTH, "grant_permissions", "new_cdp_session", "new_page", "set_geolocation", "set_offline"),
}
"""What changes a window or its context in a way that no navigation ends."""
QUIET = "/health/live"
"""A page of the server without scripts. Another origin would end the process of the window."""


class Windows:
    """The windows of one module on its server."""

    def __init__(self) -> None:
        self._idle: list[Page] = []
        self._sessions: dict[Page, CDPSession] = {}
        self._changed: set[BrowserContext] = set()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note which windows the tests change for good."""
        with pytest.MonkeyPatch.context() as patch:
            for kind, names in LASTING.items():
                for name in names:
                    found = getattr(kind, name)
                    patch.setattr(kind, name, self._noting(found))
            yield

    def _noting(self, found: Any) -> Any:
        def note(target: Page | BrowserContext) -> None:
            self._changed.add(target if isinstance(target, BrowserContext) else target.context)

        if isinstance(found, property):

            def get(target: Any) -> Any:
                note(target)
                return found.fget(target) if found.fget else None

            return property(get)

        def call(target: Any, *args: Any, **kwargs: Any) -> Any:
            note(target)
            return found(target, *args, **kwargs)

        return call

    def is_new(self, page: Page) -> None:
        """Forget the changes of `page` so far: the fixtures made them."""
        self._changed.discard(page.context)

    def take(self, width: int, height: int) -> Page | None:
        """Return a clean window, if there is one."""
        if not self._idle:
            return None
        page = self._idle.pop()
        page.set_viewport_size({"width": width, "height": height})
        return page

    def put_back(self, person: Person) -> bool:
        """Clean the user's window for the next test; return False if it cannot be used again."""
        page = person.page
        if page.is_closed() or page.context in self._changed or page.context.pages != [page]:
            return False
        try:
            page.evaluate("0")  # the console's lines arrive before the answer
            person.stop_listening()
            page.goto(person.server.url + QUIET)
            origin = page.evaluate("() => { sessionStorage.clear(); window.name = ''; return location.origin; }")
            if page not in self._sessions:
                self._sessions[page] = page.context.new_cdp_session(page)
            self._sessions[page].send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
            self._sessions[page].send("Page.resetNavigationHistory")
            page.context.clear_cookies()
            person.leave()
        except Error:
            return False
        self._idle.append(page)
        return True

    def close(self) -> None:
        for page in self._idle:
            page.context.close()
