"""The service worker.

The page opens without the server, and is never outdated while the server answers.
"""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page

from hubbub.gateways.http.web import FOLDER
from tests.support.waiting import eventually_blocking

KEPT = """async () => {
    const names = await caches.keys();
    const kept = names.map(async (name) => (await (await caches.open(name)).keys()).map(({ url }) => url));
    return (await Promise.all(kept)).flat().map((url) => url.replace(/^.*\\/chat\\//, "")).sort();
}"""


class Builds:
    """A web server with one build of a client under a path.

    It can be unreachable or slow.
    """

    def __init__(self) -> None:
        self.build = "one"
        self.proxy_answers = False
        self.away = False
        self.quick = threading.Event()
        self.quick.set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/chat/"

    def answer(self, path: str) -> tuple[int, str, bytes]:
        if self.proxy_answers:
            return 502, "text/html", b"<title>bad gateway</title>"
        if path == "/chat/":
            script = f'<script type="module" src="./assets/index-{self.build}.js"></script>'
            # One of them twice, which must not prevent caching.
            later = " ".join(f"./assets/{name}-{self.build}.js" for name in ("index", "x", "y"))
            named = f'<meta name="hubbub-later" content="{later}">'
            return 200, "text/html", f"<!doctype html><title>empty</title>{script}{named}".encode()
        if path in (f"/chat/assets/x-{self.build}.js", f"/chat/assets/y-{self.build}.js"):
            return 200, "text/javascript", b"document.title = 'later';"
        if path == f"/chat/assets/index-{self.build}.js":
            more = f'import("./more-{self.build}.js")'
            return 200, "text/javascript", f'document.title = "{self.build}"; {more};'.encode()
        if path == f"/chat/assets/more-{self.build}.js":
            return 200, "text/javascript", b"document.title += ' and more';"
        if path == "/chat/sw.js":
            return 200, "text/javascript", (FOLDER / "sw.js").read_bytes()
        return (200, "application/json", b"{}") if path == "/chat/api/secret" else (404, "text/plain", b"")


@pytest.fixture
def builds() -> Iterator[Builds]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            there.quick.wait(60)
            if there.away:
                return
            status, media_type, body = there.answer(self.path)
            self.send_response(status)
            for name, value in (("Content-Type", media_type), ("Vary", "Accept"), ("Cache-Control", "no-store")):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    there, server = Builds(), ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    there.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield there
    there.quick.set()
    server.shutdown()
    thread.join()
    server.server_close()


def shows(page: Page, builds: Builds, title: str) -> None:
    """Open the page and wait until that build has run."""
    page.goto(builds.url)
    eventually_blocking(lambda: page.title() == title, 20.0, f"the title becomes {title!r}")


def test_the_cached_page_opens_without_the_server_and_a_newer_build_replaces_it(
    browser: Browser, builds: Builds
) -> None:
    page = browser.new_context().new_page()
    shows(page, builds, "one and more")
    page.evaluate("navigator.serviceWorker.register('sw.js')")
    eventually_blocking(
        lambda: page.evaluate("navigator.serviceWorker.controller !== null"),
        20.0,
        "the service worker controls the page",
    )
    shows(page, builds, "one and more")
    assert page.evaluate("fetch('api/secret').then((answer) => answer.status)") == 200
    one = ["", "assets/index-one.js", "assets/more-one.js", "assets/x-one.js", "assets/y-one.js"]
    eventually_blocking(lambda: page.evaluate(KEPT) == one, 20.0, "the page, its assets and nothing else are kept")

    builds.away = True
    shows(page, builds, "one and more")
    assert page.evaluate("fetch('api/secret').then(() => 'kept', () => 'failed')") == "failed"
    # Not requested while the server was reachable, but named by the page.
    assert page.evaluate("import('./assets/x-one.js').then(() => document.title)") == "later"
    builds.away, builds.proxy_answers = False, True
    shows(page, builds, "one and more")
    builds.proxy_answers = False
    builds.quick.clear()
    shows(page, builds, "one and more")

    builds.build = "two"
    builds.quick.set()
    shows(page, builds, "two and more")
    two = ["", "assets/index-two.js", "assets/more-two.js", "assets/x-two.js", "assets/y-two.js"]
    eventually_blocking(lambda: page.evaluate(KEPT) == two, 20.0, "nothing of the old build is kept")
    builds.away = True
    shows(page, builds, "two and more")
    page.context.close()
