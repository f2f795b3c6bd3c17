"""Settings of the site are set and unset, by staff alone, and take effect at once."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Executable, create_engine, insert, update

from hubbub.domain.model import Role
from hubbub.domain.site_settings import NAMES
from hubbub.domain.text import MAX_ID, MAX_SETTING
from hubbub.engine import housekeeping
from hubbub.engine.site_settings import LiveSettings
from hubbub.storage import log
from hubbub.storage.schema import site_settings
from hubbub.storage.site_settings import load
from tests.site_settings.conftest import OpenSite, put, refusal, settings, unset
from tests.support.waiting import eventually
from tests.support.world import PASSWORD, Person, World

DAY = 86_400
PATIENCE = 60.0


async def stored(here: World) -> dict[str, str]:
    return await here.services.read(load)


def execute(here: World, statement: Executable) -> None:
    """Change the database past the server."""
    engine = create_engine(here.services.database.url)
    with engine.begin() as connection:
        connection.execute(statement)
    engine.dispose()


def insert_row(here: World, name: str, value: str) -> None:
    """Store a value as another version may have done."""
    execute(here, insert(site_settings).values(setting=name, value=value))


async def events(who: Person, kind: str) -> list[dict[str, Any]]:
    page = (await who.get("/api/topics/site/events", params={"after": 0})).json()
    return [event for event in page["events"] if event["type"] == kind]


# --- precedence ------------------------------------------------------------------------------------------------------


async def test_the_database_wins_over_the_default_and_what_was_given_at_start_wins_over_the_database(
    open_site: OpenSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_site() as here:
        owner = await here.program("owner", Role.OWNER)
        found = await settings(owner)
        assert list(found) == list(NAMES)
        assert {each["source"] for each in found.values()} == {"default"}
        assert (await put(owner, "name", "Acme")).status_code == 200
        assert (await put(owner, "retention_days", 7)).status_code == 200
        found = await settings(owner)
        assert (found["name"]["value"], found["name"]["source"], found["name"]["default"]) == (
            "Acme", "database", "Hubbub",
        )  # fmt: skip
    monkeypatch.setenv("HUBBUB_NAME", "Fixed")
    async with open_site() as here:
        owner = await here.token("owner")
        found = await settings(owner)
        assert (found["name"]["value"], found["name"]["source"], found["name"]["fixed"]) == (
            "Fixed",
            "environment",
            True,
        )
        assert found["retention_days"]["value"] == 7, "a restart keeps values"
        assert (await here.visitor().get("/api/site")).json()["name"] == "Fixed"
        for answer in (await put(owner, "name", "Other"), await unset(owner, "name")):
            code, message = refusal(answer)
            assert code == "conflict"
            assert "the variable HUBBUB_NAME" in message
        assert await stored(here) == {"name": '"Acme"', "retention_days": "7"}
    monkeypatch.delenv("HUBBUB_NAME")
    async with open_site() as here:
        owner = await here.token("owner")
        assert (await settings(owner))["name"]["value"] == "Acme"
        assert (await unset(owner, "name")).status_code == 200
        found = await settings(owner)
        assert (found["name"]["value"], found["name"]["source"], found["name"]["stored"]) == (
            "Hubbub",
            "default",
            False,
        )


# --- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "code", "words"),
    [
        ("name", "", "bad_request", "value: must be the name of this site, 1 to 64 characters."),
        ("name", "   ", "bad_request", "value: must not be empty."),
        ("name", "x" * 65, "bad_request", "value: must be the name of this site"),
        ("name", "x" * (MAX_SETTING + 1), "bad_request", "value: must have at most 256 characters."),
        ("name", "a\nb", "bad_request", "value: must be a single line."),
        ("name", "a\u202eb", "bad_request", "characters that change the direction"),
        ("name", 5, "bad_request", "value: must be the name"),
        ("name", None, "bad_request", "value: must be a text, a whole number, true or false."),
        ("name", ["x"], "bad_request", "value: must be a text"),
        ("name", {"x": 1}, "bad_request", "value: must be a text"),
        ("signup", "Open", "bad_request", "value: must be invite, open or closed."),
        ("guests", "on", "bad_request", "value: must be on or off."),
        ("guests", 1, "bad_request", "value: must be on or off."),
        ("retention_days", 0, "bad_request", "value: must be a number of days from 1 to 36500."),
        ("retention_days", 36_501, "bad_request", "value: must be a number of days"),
        ("retention_days", "30", "bad_request", "value: must be a number of days"),
        ("retention_days", True, "bad_request", "value: must be a number of days"),
        ("retention_days", 1.5, "bad_request", "value: must be a text, a whole number"),
        ("retention_days", MAX_ID + 1, "bad_request", "value: must be a text, a whole number"),
        ("session_idle_days", -1, "bad_request", "value: must be a number of days from 1 to 3650."),
        ("host", "0.0.0.0", "not_found", "There is no such setting."),
        ("nothing", 1, "not_found", "There is no such setting."),
        ("Name", "x", "bad_request", "setting: has an invalid format."),
        ("x" * 65, "x", "bad_request", "setting: "),
    ],
)  # fmt: skip
async def test_a_wrong_value_is_refused_with_what_is_allowed_and_changes_nothing(
    here: World, name: str, value: object, code: str, words: str
) -> None:
    owner = await here.program("owner", Role.OWNER)
    await put(owner, "name", "Before")
    before = await settings(owner)
    answer = await put(owner, name, value)
    told, sentence = refusal(answer)
    assert told == code
    assert words in sentence
    assert await settings(owner) == before
    assert await stored(here) == {"name": '"Before"'}


@pytest.mark.parametrize(
    ("name", "value"),
    [("name", "x" * 64), ("name", "Ä & <b>"), ("guests", True), ("signup", "closed"), ("retention_days", 36_500),
     ("session_idle_days", 1), ("session_max_days", 3_650)],
)  # fmt: skip
async def test_a_valid_value_holds_at_once(here: World, name: str, value: object) -> None:
    owner = await here.program("owner", Role.OWNER)
    for _ in range(2):  # repeated, it changes nothing
        assert (await put(owner, name, value)).json() == {}
        assert (await settings(owner))[name]["value"] == value
        assert getattr(here.services.site, name) == value
    head = await here.services.read(log.position, "security")
    await put(owner, name, value)
    assert await here.services.read(log.position, "security") == head, "no event without a change"


async def test_a_name_is_stored_without_blanks_at_its_ends(here: World) -> None:
    owner = await here.program("owner", Role.OWNER)
    await put(owner, "name", "  Acme ")
    assert (await settings(owner))["name"]["value"] == "Acme"


# --- values of other versions ----------------------------------------------------------------------------------------


async def test_values_of_another_version_are_ignored_shown_and_can_be_removed(open_site: OpenSite) -> None:
    async with open_site() as here:
        await here.program("owner", Role.OWNER)
        insert_row(here, "theme", '"dark"')
        insert_row(here, "signup", '"vouched"')
        insert_row(here, "guests", "{broken")
        insert_row(here, "retention_days", "9")
    async with open_site() as here:
        owner = await here.token("owner")
        found = await settings(owner)
        assert (found["theme"]["kind"], found["theme"]["value"]) == ("unknown", None)
        assert (found["signup"]["value"], found["signup"]["source"]) == ("invite", "default")
        assert found["signup"]["problem"] == "the stored value must be invite, open or closed"
        assert (found["guests"]["value"], found["guests"]["problem"]) == (False, "the stored value is not valid JSON")
        assert found["retention_days"]["value"] == 9, "the others hold"
        assert refusal(await put(owner, "theme", "light"))[0] == "not_found"
        for name in ("theme", "guests"):
            assert (await unset(owner, name)).status_code == 200
        assert (await put(owner, "signup", "open")).status_code == 200
        assert refusal(await unset(owner, "theme"))[0] == "not_found"
        found = await settings(owner)
        assert list(found) == list(NAMES)
        assert [each["problem"] for each in found.values()] == [None] * len(NAMES)
        assert await stored(here) == {"signup": '"open"', "retention_days": "9"}


# --- permissions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("role", "allowed"), [(Role.OWNER, True), (Role.ADMIN, True), (Role.MEMBER, False)])
async def test_owners_and_admins_may_see_and_change_settings(here: World, role: Role, allowed: bool) -> None:
    who = await here.program("anna", role)
    answers = [await who.get("/api/settings"), await put(who, "name", "Acme"), await unset(who, "name")]
    assert {answer.status_code for answer in answers} == {200 if allowed else 403}
    stranger = here.visitor()
    answers = [await stranger.get("/api/settings"), await put(stranger, "name", "Acme"), await unset(stranger, "name")]
    assert {answer.status_code for answer in answers} == {401}
    assert here.services.site.name == "Hubbub"


async def test_a_fixed_setting_looks_to_members_like_any_other(open_site: OpenSite) -> None:
    async with open_site(name="Fixed") as here:
        anna = await here.program("anna")
        assert refusal(await put(anna, "name", "Acme"))[0] == "forbidden"


# --- two at once -----------------------------------------------------------------------------------------------------


async def test_of_two_admins_who_change_a_setting_at_once_the_last_in_the_log_wins_everywhere(here: World) -> None:
    first, second = await here.program("anna", Role.ADMIN), await here.program("ben", Role.ADMIN)
    answers = await asyncio.gather(
        *(put(who, "name", f"{who.name} {number}") for number in range(10) for who in (first, second)),
        *(put(who, "retention_days", number + 1) for number in range(10) for who in (first, second)),
    )
    assert {answer.status_code for answer in answers} == {200}
    last = (await events(first, "site.updated"))[-1]["changes"]["name"]
    found = await settings(first)
    assert found == await settings(second)
    assert found["name"]["value"] == here.services.site.name == last
    assert await stored(here) == {"name": f'"{last}"', "retention_days": str(here.services.site.retention_days)}


# --- effects ---------------------------------------------------------------------------------------------------------


async def sign_up(here: World, name: str) -> int:
    answer = await here.visitor().post("/api/users", json={"username": name, "password": PASSWORD})
    return answer.status_code


async def sign_ups(here: World) -> list[int]:
    """Return the answers to sign-ups while sign-up is opened and closed again."""
    owner = await here.program("owner", Role.OWNER)
    found = [await sign_up(here, "anna")]
    for value in ("open", "closed"):
        assert (await put(owner, "signup", value)).status_code == 200
        assert (await settings(owner))["signup"]["stored"]
        found.append(await sign_up(here, f"{value}-ben"))
        assert (await here.visitor().get("/api/site")).json()["signup"] == here.services.site.signup
    return found


async def test_sign_up_opens_and_closes_at_once(here: World) -> None:
    assert await sign_ups(here) == [403, 201, 403]


async def test_control_a_server_that_does_not_hear_of_changes_is_detected(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LiveSettings, "_hear", lambda self, event: None)
    with pytest.raises((AssertionError, KeyError)):
        assert await sign_ups(here) == [403, 201, 403]


async def test_a_sign_up_that_is_hashing_its_password_when_sign_up_closes_is_refused(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await here.program("owner", Role.OWNER)
    await put(owner, "signup", "open")
    passwords, begun, closed = here.services.passwords, asyncio.Event(), asyncio.Event()
    hash_now = passwords.hash

    async def hash_late(password: str) -> str:
        begun.set()
        await closed.wait()
        return await hash_now(password)

    monkeypatch.setattr(type(passwords), "hash", lambda self, password, place="": hash_late(password))
    late = asyncio.create_task(sign_up(here, "anna"))
    await begun.wait()
    await put(owner, "signup", "closed")
    closed.set()
    assert await late == 403


async def test_a_shorter_retention_holds_at_the_next_pass_of_housekeeping(here: World) -> None:
    owner = await here.program("owner", Role.OWNER)
    await put(owner, "name", "Acme")
    here.clock.ahead += 10 * DAY
    owner = await here.token("owner")
    assert await housekeeping.trim(here.services) == 0, "the default keeps the events of ten days"
    assert (await put(owner, "retention_days", 5)).status_code == 200
    assert await housekeeping.trim(here.services) > 0
    gone = (await owner.get("/api/topics/site/events", params={"after": 0})).json()
    assert gone["reset"]


async def test_new_log_ins_get_the_present_lifetime_of_sessions(here: World) -> None:
    owner = await here.program("owner", Role.OWNER)
    await put(owner, "session_idle_days", 2)
    anna = await here.program("anna")
    here.clock.ahead += 3 * DAY
    assert (await anna.ask("POST", "/token/refresh", json={"refresh_token": anna.refresh})).status_code == 401
    assert (await owner.ask("POST", "/token/refresh", json={"refresh_token": owner.refresh})).status_code == 200


async def test_clients_hear_of_what_they_show_and_of_nothing_else(here: World) -> None:
    owner = await here.program("owner", Role.OWNER)
    for name, value in (
        ("name", "Acme"),
        ("name", "Acme"),
        ("retention_days", 3),
        ("guests", True),
        ("signup", "open"),
    ):
        await put(owner, name, value)
    await put(owner, "signup", "invite")  # the default, now stored
    await unset(owner, "signup")
    await unset(owner, "name")
    changes = [event["changes"] for event in await events(owner, "site.updated")]
    assert changes == [{"name": "Acme"}, {"signup": "open"}, {"signup": "invite"}, {"name": "Hubbub"}]


async def test_the_name_is_that_of_the_documentation_too(here: World) -> None:
    owner = await here.program("owner", Role.OWNER)
    for name in ("Acme", "Another"):
        await put(owner, "name", name)
        assert (await here.visitor().get("/openapi.json")).json()["info"]["title"] == name


async def test_no_decision_reads_the_settings_in_the_database(here: World) -> None:
    owner = await here.program("owner", Role.OWNER)
    await put(owner, "signup", "open")
    execute(here, update(site_settings).values(value='"closed"'))
    assert await sign_up(here, "anna") == 201
    assert (await settings(owner))["signup"]["value"] == "open"


# --- a database that went back in time -------------------------------------------------------------------------------


async def test_the_settings_are_read_again_when_the_database_went_back_in_time(here: World) -> None:
    owner = await here.program("owner", Role.OWNER)
    await put(owner, "name", "Lost")
    execute(here, update(site_settings).values(value='"Earlier"'))
    assert here.services.site.name == "Lost"
    here.services.journal.on_new_epoch("another")
    await eventually(lambda: here.services.site.name == "Earlier", PATIENCE, "the stored name holds")


async def test_a_change_that_is_heard_while_the_settings_are_read_again_is_not_overwritten(here: World) -> None:
    owner = await here.program("owner", Role.OWNER)
    live, read, reads = here.services.live_settings, here.services.read, 0

    async def read_late(query: Any, *args: Any) -> Any:
        nonlocal reads
        reads += 1
        found = await read(query, *args)
        if reads == 1:  # the answer is on its way while the setting changes
            await put(owner, "name", "Newer")
        return found

    live._read = read_late
    live.reload()
    await eventually(lambda: live._reading is not None and live._reading.done(), PATIENCE, "it is done")
    assert (reads, here.services.site.name) == (2, "Newer")
