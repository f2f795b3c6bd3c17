"""Reactions in real windows: three users, by mouse and keyboard.

Optimistic updates end correct.
"""

import re

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.browser import axe
from tests.browser.conftest import OpenWindow
from tests.browser.person import Person
from tests.support.server import Account, Server

EMOJI = [chr(code) for code in range(0x1F400, 0x1F432)]


@pytest.fixture(scope="module")
def people(server: Server) -> list[Account]:
    return [server.sign_up(name) for name in ("ann", "ben", "cleo")]


def start(people: list[Account], name: str, body: str) -> tuple[int, int]:
    """Create a room with all users and one message of Ann's."""
    room = people[0].create_room(name)
    for other in people[1:]:
        other.join(room)
    answer = people[0].request("POST", f"/api/rooms/{room}/messages", json={"key": name, "body": body})
    assert answer.status_code == 201, answer.text
    return room, answer.json()["seq"]


def react(who: Account, target: tuple[int, int], emoji: str) -> None:
    room, seq = target
    answer = who.request("PUT", f"/api/rooms/{room}/messages/{seq}/reactions/{emoji}")
    assert answer.status_code == 200, answer.text


def message(person: Person) -> Locator:
    return person.log.locator("article").last


def reactions(person: Person) -> list[str]:
    shown = message(person).get_by_role("list", name="Reactions").locator("button:not(.more)")
    return [button.get_attribute("aria-label") or "" for button in shown.all()]


def expect_reactions(person: Person, *labels: str) -> None:
    shown = message(person).get_by_role("list", name="Reactions").locator("button:not(.more)")
    expect(shown).to_have_count(len(labels))
    for at, label in enumerate(labels):
        expect(shown.nth(at)).to_have_accessible_name(label)


def react_by_keyboard(person: Person, name: str) -> None:
    """React with an emoji searched by name, starting from the composer."""
    keys = person.page.keyboard
    expect(person.log.locator("article[tabindex='0']")).to_have_count(1)
    for _ in range(4):
        if person.page.locator("article:focus").count():
            break
        keys.press("Shift+Tab")
    keys.press("+")
    expect(person.page.get_by_role("combobox", name="Search emoji")).to_be_focused()
    keys.type(name)
    expect(person.page.get_by_role("option", selected=True)).to_have_accessible_name(name)
    keys.press("Enter")


def test_three_users_react_and_see_who_reacted(people: list[Account], open_window: OpenWindow) -> None:
    start(people, "Stage", "shall we dance")
    ann, ben, cleo = (open_window().log_in(who.name).open_room("Stage") for who in people)

    # By mouse, with a suggested emoji.
    message(ben).hover()
    message(ben).get_by_role("button", name="React with 👍").click()
    expect_reactions(ben, "👍 1, you")
    expect_reactions(cleo, "👍 1")
    message(cleo).get_by_role("button", name="👍 1").click()
    expect_reactions(cleo, "👍 2, you and 1 other")

    react_by_keyboard(ann, "rocket")
    for person, label in ((ann, "🚀 1, you"), (ben, "🚀 1"), (cleo, "🚀 1")):
        expect(message(person).get_by_role("button", name=label, exact=True)).to_be_visible()
    expect(ann.page.locator("article:focus")).to_have_count(1)
    keys = ann.page.keyboard
    keys.press("Tab")
    thumb = message(ann).get_by_role("button", name="👍 2", exact=True)
    expect(thumb).to_be_focused()
    tip = ann.page.get_by_role("tooltip")
    expect(tip).to_contain_text(f"{people[1].name} and {people[2].name}")
    expect(thumb).to_have_accessible_description(f"{people[1].name} and {people[2].name}")
    keys.press("Enter")
    expect(tip).to_contain_text(f"You, {people[1].name} and {people[2].name}")
    expect_reactions(ann, "👍 3, you and 2 others", "🚀 1, you")
    axe.check(ann.page, "main")

    # Removing the last reaction removes the emoji; the same after a reload.
    keys.press("Tab")
    keys.press("Enter")
    for person in (ann, ben, cleo):
        expect(message(person).get_by_role("button", name=re.compile("^🚀"))).to_have_count(0)
    expect_reactions(ben, "👍 3, you and 2 others")
    ben.page.reload()
    expect_reactions(ben.is_in(), "👍 3, you and 2 others")
    # The focused button is gone: the focus is at the message, and the quick reactions keep their places.
    expect(ann.page.locator("article:focus")).to_have_count(1)
    expect(message(ann).get_by_role("toolbar").get_by_role("button").first).to_have_accessible_name("React with 👍")


def test_all_users_who_reacted_are_listed_in_pages(
    server: Server, people: list[Account], open_window: OpenWindow
) -> None:
    crowd = [*people, *(server.sign_up("fair") for _ in range(3))]
    target = start(crowd, "Fair", "vote")
    for who in crowd:
        for emoji in EMOJI[:18]:
            react(who, target, emoji)
    ben = open_window().log_in(people[1].name).open_room("Fair")
    message(ben).click(button="right")
    ben.page.get_by_role("menuitem", name="Who reacted").click()
    listed = ben.page.get_by_role("dialog", name="Who reacted")
    expect(listed.get_by_role("listitem")).to_have_count(100)
    listed.get_by_role("button", name="Show more").click()
    expect(listed.get_by_role("listitem")).to_have_count(108)
    expect(listed.get_by_role("button", name="Show more")).to_have_count(0)
    axe.check(ben.page, "dialog")


def test_a_refused_reaction_is_removed_and_shows_the_error(people: list[Account], open_window: OpenWindow) -> None:
    target = start(people, "Zoo", "which animal")
    for number, emoji in enumerate(EMOJI):
        react(people[number % len(people)], target, emoji)
    ben = open_window().log_in(people[1].name).open_room("Zoo")
    expect(message(ben).get_by_role("button", name=f"{EMOJI[0]} 1", exact=True)).to_be_visible()
    message(ben).hover()
    message(ben).get_by_role("button", name="React with 👍").click()
    expect(message(ben).get_by_role("alert")).to_contain_text("50")
    assert len(reactions(ben)) == len(EMOJI)
    # Another reaction with an existing emoji is allowed, and the error disappears.
    message(ben).get_by_role("button", name=f"{EMOJI[0]} 1", exact=True).click()
    expect(message(ben).get_by_role("button", name=f"{EMOJI[0]} 2, you and 1 other", exact=True)).to_be_visible()
    expect(message(ben).get_by_role("alert")).to_have_count(0)


def test_a_reaction_shows_at_once_and_the_last_choice_counts(people: list[Account], open_window: OpenWindow) -> None:
    target = start(people, "Dock", "yes or no")
    ann, ben = (open_window().log_in(who.name).open_room("Dock") for who in people[:2])
    asked: list[Route] = []

    def hold_the_first(route: Route) -> None:
        asked.append(route)
        if len(asked) > 1:
            route.continue_()

    ben.page.route("**/reactions/*", hold_the_first)
    message(ben).hover()
    for label in ("👍 1, you", None, "👍 1, you", None):
        message(ben).hover()
        message(ben).get_by_role("button", name="React with 👍").click()
        expect_reactions(ben, *([label] if label else []))
    assert len(asked) == 1, "one request at a time"
    asked[0].continue_()
    expect_reactions(ann)
    react(people[0], target, "🚀")
    expect_reactions(ben, "🚀 1")
    expect_reactions(ann, "🚀 1, you")
