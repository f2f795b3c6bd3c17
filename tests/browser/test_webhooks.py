"""Webhooks in the browser: create, try, watch, repair and delete them.

The receiver is a real one on this machine, which the server may call by its settings.
"""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import axe
from tests.browser.conftest import OpenWindow
from tests.browser.cuttable_proxy import CuttableProxy
from tests.browser.hook_receiver import HookReceiver
from tests.browser.keyboard import Keyboard
from tests.browser.person import Person
from tests.browser.rooms import make, menu
from tests.support.server import PASSWORD, Server
from tests.support.waiting import eventually_blocking

LOCAL = {"HUBBUB_OUTBOUND_ALLOW": "127.0.0.1/32", "HUBBUB_OUTBOUND_PORTS": "1024-65535"}
OVERFLOW = "(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(document.querySelector('nav'))"
"""By how many pixels the buttons of admins are wider than the list of rooms."""
EVENTS = ["message.sent", "message.edited", "message.deleted"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that may call this machine with its webhooks."""
    launcher = ("-m", "tests.support.impatient_webhooks")
    with Server(tmp_path_factory.mktemp("server") / "data", LOCAL, launcher) as running:
        running.create_owner("boss")
        yield running


@pytest.fixture
def receiver() -> Iterator[HookReceiver]:
    with HookReceiver() as found:
        yield found


class Owner:
    """The owner of a room, and their window."""

    def __init__(self, server: Server, person: Person) -> None:
        self.account = server.sign_up("ann")
        self.room_name = f"Workshop of {self.account.name}"
        self.room = make(self.account, self.room_name, kind="public")
        self.person = person
        self.page = person.page

    def log_in(self) -> "Owner":
        self.person.log_in(self.account.name).open_room(self.room_name)
        return self

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    def webhooks(self) -> Locator:
        """Open the dialog from the room menu."""
        menu(self.person, "Webhooks")
        expect(self.dialog.get_by_text("A webhook sends events")).to_be_visible()
        return self.dialog

    def say(self, text: str) -> None:
        path = f"/api/rooms/{self.room}/messages"
        answer = self.account.request("POST", path, json={"key": text, "body": text})
        assert answer.status_code in (200, 201), answer.text

    def stored(self, url: str, **more: object) -> int:
        """Create a webhook over REST."""
        fields = {"room": self.room, "name": "Build", "url": url, "events": EVENTS, **more}
        answer = self.account.request("POST", "/api/webhooks", json=fields)
        assert answer.status_code == 201, answer.text
        webhook: int = answer.json()["id"]
        return webhook

    def listed(self) -> list[str]:
        return [one["name"] for one in self.account.get("/api/webhooks", room=self.room)["webhooks"]]


@pytest.fixture
def owner(server: Server, open_window: OpenWindow) -> Owner:
    return Owner(server, open_window()).log_in()


def fill(dialog: Locator, name: str, url: str) -> None:
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_label("URL").fill(url)


def open_webhook(dialog: Locator, name: str) -> None:
    dialog.get_by_role("button", name=name).click()
    expect(dialog.get_by_role("heading", name=name)).to_be_focused()


def test_an_owner_creates_a_webhook_and_sees_what_was_delivered(owner: Owner, receiver: HookReceiver) -> None:
    dialog = owner.webhooks()
    expect(dialog.get_by_text("No webhooks yet.")).to_be_visible()
    axe.check(owner.page, "dialog[open]")
    dialog.get_by_role("button", name="New webhook").click()
    expect(dialog.get_by_label("Name")).to_be_focused()
    expect(dialog.get_by_role("checkbox", checked=True)).to_have_count(3)
    axe.check(owner.page, "dialog[open]")
    fill(dialog, "Build", receiver.url)
    dialog.get_by_role("button", name="Create webhook").click()

    expect(dialog.get_by_role("heading", name="Secret of Build")).to_be_focused()
    secret = dialog.get_by_label("Secret").input_value()
    assert secret.startswith("whsec_")
    dialog.get_by_role("button", name="Copy").click()
    expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    dialog.get_by_text("How to verify requests").click()
    axe.check(owner.page, "dialog[open]")
    dialog.get_by_role("button", name="Done").click()

    expect(dialog.get_by_text("Nothing was sent yet")).to_be_visible()
    dialog.get_by_role("button", name="Send a test event").click()
    expect(dialog.get_by_text("The receiver accepted the test event: 204")).to_be_visible()
    owner.say("hello, hook")
    _, sent = receiver.gets(2)
    assert (sent.event["body"], sent.is_signed_by(secret)) == ("hello, hook", True)
    deliveries = dialog.get_by_role("list", name="Last deliveries").get_by_role("listitem")
    expect(deliveries).to_have_count(2)
    expect(deliveries.first).to_contain_text("Message sent in Workshop")
    expect(dialog.get_by_text("Active")).to_be_visible()
    axe.check(owner.page, "dialog[open]")

    # The secret is never shown again, and the list has the last response.
    assert secret not in owner.page.content()
    dialog.get_by_role("button", name="All webhooks").click()
    expect(dialog.get_by_role("button", name="Build")).to_be_focused()
    expect(dialog.get_by_role("listitem")).to_contain_text(re.compile("Last response, .*: 204 in "))
    axe.check(owner.page, "dialog[open]")


def test_a_url_that_the_server_does_not_call_is_an_error_at_its_field(owner: Owner, receiver: HookReceiver) -> None:
    dialog = owner.webhooks()
    dialog.get_by_role("button", name="New webhook").click()
    fill(dialog, "Build", "http://10.0.0.1:8080/hook")
    dialog.get_by_role("button", name="Create webhook").click()
    expect(dialog.get_by_text("10.0.0.1 is not a public address. An admin can allow it")).to_be_visible()
    expect(dialog.get_by_label("URL")).to_be_focused()
    expect(dialog.get_by_label("URL")).to_have_attribute("aria-invalid", "true")
    axe.check(owner.page, "dialog[open]")
    dialog.get_by_label("URL").fill(receiver.url)
    expect(dialog.get_by_label("URL")).not_to_have_attribute("aria-invalid", "true")
    for event in ("Sent", "Edited", "Deleted"):
        dialog.get_by_role("checkbox", name=event).uncheck()
    dialog.get_by_role("button", name="Create webhook").click()
    expect(dialog.get_by_text("Choose at least one event.")).to_be_visible()
    expect(dialog.get_by_role("checkbox", name="Sent")).to_be_focused()
    assert owner.listed() == []
    dialog.get_by_role("checkbox", name="Reaction added").check()
    dialog.get_by_role("button", name="Create webhook").click()
    expect(dialog.get_by_label("Secret")).to_be_visible()
    dialog.get_by_role("button", name="Done").click()
    expect(dialog.get_by_text("Gets: Reaction added")).to_be_visible()


def test_a_failing_receiver_is_shown_and_tried_again_on_request(owner: Owner, receiver: HookReceiver) -> None:
    receiver.answer(500)
    owner.stored(receiver.url)
    owner.say("too early")
    receiver.is_asked(3)  # from now on the server waits for seconds
    dialog = owner.webhooks()
    expect(dialog.get_by_role("listitem")).to_contain_text("Failing")
    expect(dialog.get_by_role("listitem")).to_contain_text("The receiver answered 500.")
    axe.check(owner.page, "dialog[open]")
    open_webhook(dialog, "Build")
    expect(dialog.get_by_text("Next attempt:")).to_be_visible()
    axe.check(owner.page, "dialog[open]")
    dialog.get_by_role("button", name="Send a test event").click()
    expect(dialog.get_by_text("The test event wasn't delivered. The receiver answered 500.")).to_be_visible()
    receiver.answer(204)
    dialog.get_by_role("button", name="Try now").click()
    assert receiver.gets(1)[0].event["body"] == "too early"
    expect(dialog.get_by_text("Active")).to_be_visible()
    expect(dialog.get_by_role("button", name="Try now")).to_have_count(0)


def test_events_that_were_given_up_are_sent_again_or_removed(owner: Owner, receiver: HookReceiver) -> None:
    receiver.answer(400)
    owner.stored(receiver.url)
    for text in ("first", "second", "third", "fourth"):
        owner.say(text)
    dialog = owner.webhooks()
    expect(dialog.get_by_role("listitem")).to_contain_text("4 events weren't delivered.", timeout=60_000)
    axe.check(owner.page, "dialog[open]")
    open_webhook(dialog, "Build")
    letters = dialog.get_by_role("list", name="Not delivered").get_by_role("listitem")
    expect(letters).to_have_count(4)
    expect(letters.first).to_contain_text("The receiver answered 400.")
    axe.check(owner.page, "dialog[open]")
    letters.first.get_by_role("button", name="Remove").click()
    expect(letters).to_have_count(3)
    receiver.answer(204)
    letters.first.get_by_role("button", name="Send again").click()
    expect(letters).to_have_count(2)
    assert receiver.gets(1)[0].event["body"] == "second"
    dialog.get_by_role("button", name="Send all again").click()
    expect(letters).to_have_count(0)
    assert {each.event["body"] for each in receiver.gets(3)} == {"second", "third", "fourth"}
    expect(dialog.get_by_text("Active")).to_be_visible()


def test_a_webhook_is_edited_paused_given_a_new_secret_and_deleted(owner: Owner, receiver: HookReceiver) -> None:
    owner.stored(receiver.url)
    dialog = owner.webhooks()
    open_webhook(dialog, "Build")
    dialog.get_by_role("button", name="Edit").click()
    expect(dialog.get_by_label("Name")).to_be_focused()
    dialog.get_by_label("Name").fill("Deploy")
    dialog.get_by_role("checkbox", name="Message pinned").check()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("heading", name="Deploy")).to_be_focused()
    expect(dialog.get_by_text("Message deleted, Message pinned")).to_be_visible()

    pause = dialog.get_by_role("button", name="Pause")
    pause.click()
    expect(dialog.get_by_text("New events wait until it is resumed.")).to_be_visible()
    owner.say("later")
    expect(dialog.get_by_text("1 event")).to_be_visible()
    assert receiver.receiver.requests == []
    dialog.get_by_role("button", name="Resume").click()
    assert receiver.gets(1)[0].event["body"] == "later"
    expect(pause).to_be_visible()

    dialog.get_by_role("button", name="New secret").click()
    alert = owner.page.get_by_role("alertdialog")
    expect(alert.get_by_role("button", name="Cancel")).to_be_focused()
    alert.get_by_role("button", name="Create new secret").click()
    expect(dialog.get_by_text("The old secret still works for 24 hours.")).to_be_visible()
    secret = dialog.get_by_label("Secret").input_value()
    dialog.get_by_role("button", name="Done").click()
    owner.say("signed twice")
    assert receiver.gets(2)[1].is_signed_by(secret)

    dialog.get_by_role("button", name="Delete").click()
    axe.check(owner.page, "dialog[open]")
    alert.get_by_role("button", name="Cancel").click()
    expect(alert).to_have_count(0)
    dialog.get_by_role("button", name="Delete").click()
    alert.get_by_role("button", name="Delete webhook").click()
    expect(dialog.get_by_text("No webhooks yet.")).to_be_visible()
    assert owner.listed() == []


def test_members_see_no_webhooks_and_admins_manage_those_of_the_site(
    server: Server, open_window: OpenWindow, owner: Owner, receiver: HookReceiver
) -> None:
    other = server.sign_up("bob")
    other.join(owner.room)
    bob = open_window().log_in(other.name).open_room(owner.room_name)
    bob.page.get_by_role("button", name="Room menu").click()
    expect(bob.page.get_by_role("menuitem", name="Pinned messages")).to_be_visible()
    expect(bob.page.get_by_role("menuitem", name="Webhooks")).to_have_count(0)
    expect(bob.page.get_by_role("button", name="Webhooks of the site")).to_have_count(0)

    admin = open_window().log_in("boss")
    admin.page.get_by_role("button", name="Webhooks of the site").click()
    dialog = admin.page.get_by_role("dialog", name="Webhooks of this site")
    expect(dialog.get_by_text("events of all public rooms")).to_be_visible()
    assert admin.page.evaluate(OVERFLOW) == 0
    dialog.get_by_role("button", name="New webhook").click()
    expect(dialog.get_by_role("group", name="Room").get_by_label("Created")).to_be_visible()
    fill(dialog, "Archive", receiver.url)
    dialog.get_by_role("button", name="Create webhook").click()
    dialog.get_by_role("button", name="Done").click()
    owner.say("said in public")
    assert receiver.gets(1)[0].event["body"] == "said in public"
    expect(dialog.get_by_role("list", name="Last deliveries")).to_contain_text("Message sent")
    dialog.get_by_role("button", name="Delete").click()
    admin.page.get_by_role("button", name="Delete webhook").click()
    expect(dialog.get_by_text("No webhooks yet.")).to_be_visible()


def fits(page: Page) -> None:
    wide = "[document.documentElement, ...document.querySelectorAll('dialog[open]')]"
    widths = page.evaluate(f"{wide}.map((box) => [box.scrollWidth, box.clientWidth])")
    assert all(inner <= outer for inner, outer in widths), widths


def test_every_screen_of_webhooks_fits_a_phone(server: Server, open_window: OpenWindow, receiver: HookReceiver) -> None:
    owner = Owner(server, open_window(width=360, height=640))
    receiver.answer(400)
    long = "W" * 64
    owner.stored(f"{receiver.url}/{'x' * 1900}", name=long)
    owner.say("given up")
    page = owner.page
    page.request.post(f"{server.url}/api/login", data={"username": owner.account.name, "password": PASSWORD})
    owner.person.open(f"/?narrow#room/{owner.room}").is_in()
    dialog = owner.webhooks()
    expect(dialog.get_by_role("listitem")).to_contain_text("1 event wasn't delivered.", timeout=60_000)
    fits(page)
    axe.check(page, "dialog[open]")
    dialog.get_by_role("button", name=long).click()
    expect(dialog.get_by_role("list", name="Not delivered").get_by_role("listitem")).to_have_count(1)
    fits(page)
    axe.check(page, "dialog[open]")
    dialog.get_by_role("button", name="Edit").click()
    expect(dialog.get_by_label("URL")).to_be_visible()
    fits(page)
    dialog.get_by_role("button", name="Cancel").click()
    dialog.get_by_role("button", name="New secret").click()
    fits(page)
    page.get_by_role("button", name="Create new secret").click()
    dialog.get_by_text("How to verify requests").click()
    fits(page)
    axe.check(page, "dialog[open]")


def test_a_webhook_is_managed_with_the_keyboard_alone(owner: Owner, receiver: HookReceiver) -> None:
    keys, dialog = Keyboard(owner.person), owner.dialog
    keys.reach("button", "Room menu", key="Shift+Tab")
    keys.press("Enter")
    keys.choose("Webhooks")
    expect(dialog.get_by_text("No webhooks yet.")).to_be_visible()
    keys.use("button", "New webhook")
    keys.at("textbox", "Name")
    keys.write("Build")
    keys.reach("textbox", "URL")
    keys.write(receiver.url)
    keys.reach("checkbox", "Edited")
    keys.press("Space")
    keys.press("Enter")
    expect(dialog.get_by_role("heading", name="Secret of Build")).to_be_focused()
    keys.use("button", "Copy")
    expect(dialog.get_by_role("button", name="Copied")).to_be_focused()
    keys.use("button", "Done")
    expect(dialog.get_by_role("heading", name="Build")).to_be_focused()
    keys.use("button", "Send a test event")
    expect(dialog.get_by_text("The receiver accepted the test event")).to_be_visible()
    keys.at("button", "Send a test event")
    keys.use("button", "Pause")
    keys.at("button", "Resume")
    keys.press("Enter")
    keys.at("button", "Pause")
    keys.use("button", "Delete…")
    keys.at("button", "Cancel")
    keys.use("button", "Delete webhook")
    expect(dialog.get_by_text("No webhooks yet.")).to_be_visible()
    keys.use("button", "New webhook")
    keys.press("Escape")
    expect(dialog).to_have_count(0)
    keys.at("button", "Room menu")


def test_a_lost_connection_is_shown_and_a_repeated_request_creates_one_webhook(
    server: Server, open_window: OpenWindow, receiver: HookReceiver
) -> None:
    owner = Owner(server, open_window())
    owner.person.may_be_offline = True
    with CuttableProxy(server) as proxy:
        owner.person.address = proxy.url
        owner.log_in()
        dialog = owner.webhooks()
        dialog.get_by_role("button", name="New webhook").click()
        fill(dialog, "Build", receiver.url)
        proxy.cut()
        dialog.get_by_role("button", name="Create webhook").click()
        expect(dialog.locator("form").get_by_text("Can't reach the server.")).to_be_visible()
        proxy.mend()
        dialog.get_by_role("button", name="Create webhook").click()
        expect(dialog.get_by_label("Secret")).to_be_visible()
        assert owner.listed() == ["Build"]
        dialog.get_by_role("button", name="Done").click()
        expect(dialog.get_by_text("Nothing was sent yet")).to_be_visible()

        # What is shown stays, with a sentence, until the server answers again.
        proxy.cut()
        expect(dialog.get_by_text("Can't reach the server.")).to_be_visible()
        expect(dialog.get_by_role("heading", name="Build")).to_be_visible()
        proxy.mend()
        owner.say("after the break")
        expect(dialog.get_by_role("list", name="Last deliveries")).to_contain_text("Message sent")
        expect(dialog.get_by_text("Can't reach the server.")).to_have_count(0)


def test_a_webhook_that_another_user_deletes_disappears(owner: Owner, receiver: HookReceiver) -> None:
    webhook = owner.stored(receiver.url)
    dialog = owner.webhooks()
    open_webhook(dialog, "Build")
    assert owner.account.request("DELETE", f"/api/webhooks/{webhook}").status_code == 204
    expect(dialog.get_by_text("No webhooks yet.")).to_be_visible()
    eventually_blocking(
        lambda: owner.page.evaluate("document.activeElement?.closest('dialog') !== null"), 20.0, "a focus in the dialog"
    )
