"""Every screen of the web client, whole, in light and dark, wide and narrow: nothing that axe finds wrong with it."""

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


class Place:
    """A site with a bit of everything on it, made over REST."""

    def __init__(self, server: Server) -> None:
        self.anna = server.create_owner("anna")
        self.bert, self.cora = server.sign_up("bert"), server.sign_up("cora")
        self.garden = self.room("Garden", topic="What grows here, and what does not", description="Bring boots.")
        self.corner = self.room("Quiet corner")
        self.plans = self.room("Old plans")
        self.call(self.anna, "POST", "/api/rooms", kind="direct", members=[self.bert.id])
        self.call(self.anna, "PATCH", f"/api/rooms/{self.corner}/settings", muted=True)
        self.call(self.anna, "PATCH", f"/api/rooms/{self.garden}/settings", favourite=True)
        self.call(self.bert, "PUT", "/api/presence", status="dnd", text="In the greenhouse", emoji="🌱")
        self.call(self.anna, "POST", f"/api/rooms/{self.plans}/archive")
        self.call(self.cora, "POST", f"/api/rooms/{self.corner}/messages", key="psst", body="psst @anna")
        self.call(self.anna, "POST", f"/api/rooms/{self.garden}/bans", user=server.sign_up("dora").id, reason="spam")
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
        """A question, a change, an answer with its quote and with markup, reactions, a pin, a deletion, a mention."""
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


class Tour:
    """Goes from screen to screen and notes what axe finds on each."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.page = person.page
        self.found: list[str] = []
        # What is on its way from one colour to another has none that could be judged.
        self.page.emulate_media(reduced_motion="reduce")

    def look(self, screen: str, within: str | None = None) -> None:
        """With all rules in light; in dark, where nothing but the colours differs, with those of the contrast."""
        self.found += [f"{screen}: {one}" for one in axe.violations(self.page, within)]
        self.page.emulate_media(color_scheme="dark")
        self.found += [f"{screen}, dark: {one}" for one in axe.violations(self.page, within, ["color-contrast"])]
        self.page.emulate_media(color_scheme="light")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name).first

    def press(self, name: str) -> None:
        self.button(name).click()

    def dialog(self, screen: str) -> None:
        """The dialog that is open now, once it has loaded; then it is closed."""
        dialog = self.page.locator("dialog[open]")
        expect(dialog).to_have_count(1)
        expect(dialog.get_by_text("Loading…")).to_have_count(0)
        self.look(screen, "dialog[open]")
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
def place(server: Server) -> Place:
    return Place(server)


@pytest.fixture
def tour(open_window: OpenWindow) -> Tour:
    return Tour(open_window())


def test_the_ways_in(place: Place, tour: Tour) -> None:
    tour.person.open()
    expect(tour.page.get_by_role("button", name="Log in")).to_be_visible()
    tour.look("log in")
    tour.press("Sign up")
    tour.look("sign up")
    tour.page.goto("about:blank")
    tour.person.open(f"/invite#{place.invite}")
    expect(tour.page.get_by_text("You've been invited to Garden")).to_be_visible()
    tour.look("invite")
    assert not tour.found, "\n".join(tour.found)


def test_the_rooms_and_what_opens_in_them(place: Place, tour: Tour) -> None:
    tour.person.log_in("anna")
    tour.look("lobby")
    tour.person.open_room("Garden")
    expect(tour.person.log.get_by_role("link", name="In reply to")).to_be_visible()
    people = tour.page.get_by_role("list", name="Offline")
    expect(people).to_contain_text(place.bert.name)
    tour.look("room")
    for item in (
        "About this room",
        "Pinned messages",
        "Add people",
        "Invite links",
        "Banned people",
        "Archive",
        "Leave",
    ):
        tour.choose(tour.button("Room menu"), item)
    for item in ("Make owner", "Remove", "Ban"):
        tour.choose(people.get_by_role("button", name=place.bert.name), item)
    tour.press("Room menu")
    tour.look("room menu")
    tour.page.keyboard.press("Escape")
    tour.message_menu("Like this")
    tour.look("message menu")
    for item in ("Forward", "Delete"):
        tour.page.get_by_role("menuitem", name=item).click()
        tour.dialog(item)
        tour.message_menu("Like this")
    tour.page.get_by_role("menuitem", name="React", exact=True).click()
    expect(tour.page.get_by_role("dialog")).to_be_visible()
    tour.look("emoji picker")
    tour.page.keyboard.press("Escape")
    tour.press("(edited)")
    tour.dialog("edits")
    assert not tour.found, "\n".join(tour.found)


def test_what_opens_beside_the_rooms(place: Place, tour: Tour) -> None:
    tour.person.log_in("anna")
    for button in (
        "Browse rooms",
        "New room",
        "New message",
        "Jump to a room or person",
        "Invite people",
        "Your account",
    ):
        tour.press(button)
        tour.dialog(button)
    tour.choose(tour.button("anna"), "Set a status")
    tour.press("anna")
    tour.look("how one appears")
    tour.page.keyboard.press("Escape")
    tour.page.get_by_text("Archived · 1").click()
    tour.person.open_room("Old plans")
    tour.look("an archived room")
    tour.person.open("/#room/999")
    expect(tour.page.get_by_text("This room doesn't exist")).to_be_visible()
    tour.look("no such room")
    assert not tour.found, "\n".join(tour.found)


def test_the_narrow_screen(place: Place, tour: Tour) -> None:
    tour.page.set_viewport_size({"width": 380, "height": 720})
    tour.page.request.post(f"{place.anna.server.url}/api/login", data={"username": "anna", "password": PASSWORD})
    tour.person.open()
    expect(tour.person.room("Garden")).to_be_visible()
    tour.look("narrow list")
    tour.person.open_room("Garden")
    tour.look("narrow room")
    tour.press("People, 3")
    expect(tour.page.get_by_role("list", name="Offline")).to_contain_text(place.bert.name)
    tour.look("narrow people")
    tour.press("Hide people")
    tour.message_menu("Like this")
    tour.look("narrow message menu")
    assert not tour.found, "\n".join(tour.found)
