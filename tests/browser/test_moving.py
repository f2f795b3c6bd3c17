"""The node of a window dies while its user writes and reads: the window goes on at another node."""

import os
import signal

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenWindow
from tests.browser.cuttable_proxy import CuttableProxy
from tests.browser.person import Person
from tests.nodes import conftest as nodes
from tests.support.server import Account, Server
from tests.support.waiting import eventually_blocking

pytestmark = pytest.mark.faults
make_site = nodes.make_site

WATCH = """() => {
    // What the user would notice: messages or notices that come and go, and a composer that loses its text or focus.
    const seen = (window.seen = []);
    const composer = document.activeElement;
    composer.addEventListener("blur", () => seen.push("the composer lost the focus"));
    const shown = new Set(document.querySelectorAll("article:not(.pending)"));
    new MutationObserver((changes) => {
        if (!composer.isConnected) seen.push("the composer was replaced");
        for (const article of shown) {
            if (article.isConnected) continue;
            shown.delete(article);
            seen.push(`gone: ${article.textContent}`);
        }
        for (const { addedNodes } of changes) {
            for (const node of addedNodes) {
                if (!(node instanceof Element)) continue;
                const notice = "dialog, [role=dialog], [role=alert], [role=alertdialog]";
                if (node.matches(notice) || node.querySelector(notice)) seen.push(`shown: ${node.textContent}`);
            }
        }
    }).observe(document.body, { childList: true, subtree: true });
}"""
CARET = "() => [document.activeElement.selectionStart, document.activeElement.selectionEnd]"


@pytest.fixture
def kind() -> str:
    return "nats"


def post(account: Account, *bodies: str) -> None:
    for body in bodies:
        sent = account.request("POST", "/api/rooms/1/messages", json={"body": body, "key": body})
        assert sent.status_code == 201, sent.text


class Scene:
    """Ann writes behind a balancer, her node is killed, and Bob goes on writing on the other node."""

    def __init__(self, site: nodes.Site, ann: Person, balancer: CuttableProxy, doomed: Server) -> None:
        self.site, self.ann, self.doomed = site, ann, doomed
        self.other = next(node for node in site.nodes if node is not doomed)
        self.bob = self.other.sign_up("bob")
        self.before = [f"before {number}" for number in range(30)]
        self.missed = [f"missed {number}" for number in range(30)]
        post(self.bob, *self.before)
        ann.address = balancer.url
        ann.may_be_offline = True
        ann.log_in(self.other.sign_up("ann").name).sees(self.before[-1])

    def lose_the_node(self) -> None:
        """Kill the node when a message is on its way to it, and a text half-written."""
        ann, frozen = self.ann, self.doomed.settings.get("BROKEN") != "silent-commit"
        if frozen:
            os.kill(self.doomed.pid, signal.SIGSTOP)
        ann.say("on its way")
        expect(ann.pending()).to_have_count(1)
        ann.composer.fill("I was wring")
        for _ in range(3):
            ann.composer.press("ArrowLeft")
        if not frozen:
            eventually_blocking(lambda: "on its way" in self.stored(), 30, "the message is stored, and not answered")
        ann.page.evaluate(WATCH)
        post(self.bob, *self.missed[:15])
        self.doomed.kill()
        post(self.bob, *self.missed[15:])

    def stored(self) -> list[str]:
        return [message["body"] for message in self.bob.history(1)]


@pytest.mark.parametrize("broken", [None, "silent-commit"], ids=["unwritten", "written"])
def test_a_user_who_writes_notices_nothing_but_the_banner(
    make_site: nodes.MakeSite, open_window: OpenWindow, broken: str | None
) -> None:
    """The pending message was not stored by the node that died, or it was, and not answered."""
    site = make_site(2, broken)
    other, doomed = site.nodes
    with CuttableProxy(doomed, other) as balancer:
        scene = Scene(site, open_window(other), balancer, doomed)
        ann = scene.ann
        scene.lose_the_node()
        ann.sees("on its way")
        for body in scene.missed:
            ann.sees(body)
        expect(ann.pending()).to_have_count(0)
        expect(ann.page.get_by_text("Reconnecting")).to_have_count(0)
        assert ann.page.evaluate(CARET) == [8, 8]
        assert ann.page.evaluate("() => window.seen") == []
        ann.page.keyboard.type("it")
        expect(ann.composer).to_have_value("I was writing")
        ann.composer.press("Enter")
        ann.sees("I was writing")
        expect(ann.pending()).to_have_count(0)
        stored = scene.stored()
        assert sorted(stored) == sorted([*scene.before, *scene.missed, "on its way", "I was writing"])
        assert ann.texts() == stored[-len(ann.texts()) :]
        assert set(scene.missed) < set(ann.texts())


def test_control_a_window_without_another_node_waits_and_misses_messages(
    make_site: nodes.MakeSite, open_window: OpenWindow
) -> None:
    site = make_site(2)
    other, doomed = site.nodes
    with CuttableProxy(doomed) as balancer:
        scene = Scene(site, open_window(other), balancer, doomed)
        scene.lose_the_node()
        expect(scene.ann.page.get_by_text("Reconnecting")).to_be_visible()
        expect(scene.ann.pending()).to_have_count(1)
        assert scene.missed[-1] not in scene.ann.texts()
        assert "on its way" not in scene.stored()
