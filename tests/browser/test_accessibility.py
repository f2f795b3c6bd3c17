"""Every screen, light and dark, wide and narrow, has no axe violations."""

from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser import axe
from tests.browser.conftest import OpenWindow
from tests.browser.person import Person
from tests.support.server import PASSWORD, Account, Server

ANSWER = """Like *this*, ~~or that~~:
```python
def greet(name: str) -> str:
    # Loudly.
    return f"Hello {name}!" * 2
```
> quoted

- **one** of https://example.org/
- `two`"""


class World:
    """A site with an example of everything, made over REST."""

    def __init__(self, server: Server) -> None:
        self.anna = server.create_owner("anna")
        self.bert, self.cora = server.sign_up("bert"), server.sign_up("cora")
        self.garden = self.room("Garden", topic="What grows here, and what does not", description="Bring boots.")
        self.corner = self.room("Quiet corner")
        self.plans = self.room("Old plans")
        self.call(self.anna, "POST", "/api/rooms", kind="direct", members=[self.bert.id])
        self.call(self.anna, "PATCH", f"/api/rooms/{self.corner}/preferences", muted=True)
        self.call(self.anna, "PATCH", f"/api/rooms/{self.garden}/preferences", favourite=True)
        self.call(self.bert, "PUT", "/api/users/me/status", status="dnd", text="In the greenhouse", emoji="🌱")
        self.call(self.anna, "POST", f"/api/rooms/{self.plans}/archive")
        self.call(self.cora, "POST", f"/api/rooms/{self.corner}/messages", key="psst", body="psst @anna")
        self.call(self.anna, "PUT", f"/api/rooms/{self.garden}/bans/{server.sign_up('dora').id}", reason="spam")
        self.invite = self.call(self.anna, "POST", "/api/invites", room=self.garden)["token"]
        self.talk()

    def call(self, who: Account, method: str, path: str, **body: Any) -> Any:
        answer = who.request(method, path, json=body or None)
        assert answer.is_success, f"{method} {path}: {answer.text}"
        return answer.json()

    def room(self, name: str, **more: str) -> int:
        room: int = self.call(self.anna, "POST", "/api/rooms", kind="public", name=name, **more)["room"]["id"]
        for other in (self.bert, self.cora):
            other.join(room)
        return room

    def talk(self) -> None:
        """Create messages with every feature: edit, quote, markup, reactions, pin, mention."""
        messages = f"/api/rooms/{self.garden}/messages"

        def say(who: Account, body: str, **more: int) -> str:
            return f"{messages}/{self.call(who, 'POST', messages, key=body[:20], body=body, **more)['seq']}"

        question = say(self.bert, "how do i greet?")
        self.call(self.bert, "PATCH", question, body="How do I greet? ||quietly||")
        answer = say(self.cora, ANSWER, reply_to=int(question.rpartition("/")[2]))
        self.call(self.bert, "PUT", f"{answer}/reactions/👍")
        self.call(self.anna, "PUT", f"{answer}/reactions/🎉")
        self.call(self.anna, "PUT", f"/api/rooms/{self.garden}/pins/{answer.rpartition('/')[2]}")
        self.call(self.anna, "DELETE", say(self.anna, "of no use"))
        say(self.cora, "@anna and @room, look!")


class AxeChecker:
    """Goes from screen to screen and collects axe's violations."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.page = person.page
        self.found: list[str] = []
        # Colours in transition cannot be judged.
        self.page.emulate_media(reduced_motion="reduce")

    def check(self, screen: str, within: str | None = None) -> None:
        """Check all rules in light, and the contrast rule in dark.

        Only colours differ in dark.
        """
        self.found += [f"{screen}: {violation}" for violation in axe.violations(self.page, within)]
        self.page.emulate_media(color_scheme="dark")
        self.found += [
            f"{screen}, dark: {violation}" for violation in axe.violations(self.page, within, ["color-contrast"])
        ]
        self.page.emulate_media(color_scheme="light")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name).first

    def press(self, name: str) -> None:
        self.button(name).click()

    def dialog(self, screen: str) -> None:
        """Check the open dialog once it has loaded, then close it."""
        dialog = self.page.locator("dialog[open]")
        expect(dialog).to_have_count(1)
        expect(dialog.get_by_text("Loading…")).to_have_count(0)
        self.check(screen, "dialog[open]")
        self.page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)

    def choose(self, opener: Locator, item: str) -> None:
        opener.click()
        self.page.get_by_role("menuitem", name=item).click()
        self.dialog(item)

    def message_menu(self, text: str) -> None:
        self.person.log.locator("article", has_text=text).first.locator(".body").click(button="right")
        expect(self.page.get_by_role("menu", name="Message menu")).to_be_visible()


@pytest.fixture(scope="module")
def world(server: Server) -> World:
    return World(server)


@pytest.fixture
def checker(open_window: OpenWindow) -> AxeChecker:
    return AxeChecker(open_window())


def test_log_in_sign_up_and_invites_have_no_axe_violations(world: World, checker: AxeChecker) -> None:
    checker.person.open()
    expect(checker.page.get_by_role("button", name="Log in")).to_be_visible()
    checker.check("log in")
    checker.press("Sign up")
    checker.check("sign up")
    checker.page.goto("about:blank")
    checker.person.open(f"/invite#{world.invite}")
    expect(checker.page.get_by_text("You've been invited to Garden")).to_be_visible()
    checker.check("invite")
    assert not checker.found, "\n".join(checker.found)


def test_rooms_and_their_dialogs_have_no_axe_violations(world: World, checker: AxeChecker) -> None:
    checker.person.log_in("anna")
    checker.check("lobby")
    checker.person.open_room("Garden")
    expect(checker.person.log.get_by_role("link", name="In reply to")).to_be_visible()
    people = checker.page.get_by_role("list", name="Offline")
    expect(people).to_contain_text(world.bert.name)
    checker.check("room")
    for item in (
        "About this room",
        "Pinned messages",
        "Add people",
        "Invite links",
        "Banned people",
        "Webhooks",
        "Archive",
        "Leave",
    ):
        checker.choose(checker.button("Room menu"), item)
    for item in ("Make owner", "Remove", "Ban"):
        checker.choose(people.get_by_role("button", name=world.bert.name), item)
    checker.press("Room menu")
    checker.check("room menu")
    checker.page.keyboard.press("Escape")
    checker.message_menu("Like this")
    checker.check("message menu")
    for item in ("Forward", "Delete"):
        checker.page.get_by_role("menuitem", name=item).click()
        checker.dialog(item)
        checker.message_menu("Like this")
    checker.page.get_by_role("menuitem", name="React", exact=True).click()
    expect(checker.page.get_by_role("dialog")).to_be_visible()
    checker.check("emoji picker")
    checker.page.keyboard.press("Escape")
    checker.press("(edited)")
    checker.dialog("edits")
    assert not checker.found, "\n".join(checker.found)


def test_screens_outside_of_rooms_have_no_axe_violations(world: World, checker: AxeChecker) -> None:
    checker.person.log_in("anna")
    for button in (
        "Browse rooms",
        "New room",
        "New message",
        "Jump to a room or person",
        "Invite people",
        "Webhooks of the site",
        "Site settings",
        "Your account",
    ):
        checker.press(button)
        checker.dialog(button)
    checker.choose(checker.button("anna"), "Set a status")
    checker.press("anna")
    checker.check("own status")
    checker.page.keyboard.press("Escape")
    checker.page.get_by_text("Archived · 1").click()
    checker.person.open_room("Old plans")
    checker.check("an archived room")
    checker.person.open("/#room/999")
    expect(checker.page.get_by_text("This room doesn't exist")).to_be_visible()
    checker.check("no such room")
    assert not checker.found, "\n".join(checker.found)


def test_narrow_screens_have_no_axe_violations(world: World, checker: AxeChecker) -> None:
    checker.page.set_viewport_size({"width": 380, "height": 720})
    checker.page.request.post(f"{world.anna.server.url}/api/login", data={"username": "anna", "password": PASSWORD})
    checker.person.open()
    expect(checker.person.room("Garden")).to_be_visible()
    checker.check("narrow list")
    checker.person.open_room("Garden")
    checker.check("narrow room")
    checker.press("People, 3")
    expect(checker.page.get_by_role("list", name="Offline")).to_contain_text(world.bert.name)
    checker.check("narrow people")
    checker.press("Hide people")
    checker.message_menu("Like this")
    checker.check("narrow message menu")
    assert not checker.found, "\n".join(checker.found)
