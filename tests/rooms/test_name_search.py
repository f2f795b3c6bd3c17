"""People, members and rooms are found by any part of their names."""

from collections.abc import Callable
from time import thread_time

import pytest
from sqlalchemy import Connection, insert

from hubbub.domain.commands import ArchiveRoom, CreateRoom, DeleteAccount, SetDisabled, UpdateRoom
from hubbub.domain.errors import Forbidden, NotFound
from hubbub.domain.model import LOBBY, SYSTEM, Actor
from hubbub.domain.names import search_key
from hubbub.features import members, rooms
from hubbub.features import users as directory
from hubbub.storage import accounts
from hubbub.storage.schema import members as memberships
from hubbub.storage.schema import users
from tests.engine.conftest import START
from tests.rooms.conftest import World

Find = Callable[..., list[str]]
CROWD = 100_000
BOUND = 0.4
"""In seconds, for four statements. A scan of all names takes 10 to 40 ms on an idle machine."""


@pytest.fixture
def find(world: World) -> Find:
    """Search for people as bob, and return their names."""

    def found(text: str, limit: int = 50) -> list[str]:
        page = world.store.database.read(directory.search, world.bob, text, limit)
        assert isinstance(page["users"], list)
        return [person["name"] for person in page["users"]]

    return found


async def named(world: World, *given: str) -> list[Actor]:
    return [await world.store.person(name) for name in given]


async def test_people_are_found_by_any_part_of_their_names_the_best_match_first(world: World, find: Find) -> None:
    await named(world, "joanna", "hanna.berg", "anna", "berg-anna", "annabelle", "anna-lena", "Ann")
    assert find("anna") == ["anna", "annabelle", "anna-lena", "berg-anna", "joanna", "hanna.berg"]
    assert find("anna", limit=2) == ["anna", "annabelle"]
    assert find("ANNA-L") == ["anna-lena"]
    assert find("a-le") == ["anna-lena"]
    assert find("-") == ["anna-lena", "berg-anna"] or find("-") == ["berg-anna", "anna-lena"]
    assert find(" berg ") == ["berg-anna", "hanna.berg"]
    assert find("nobody") == []


async def test_accents_case_and_look_alike_letters_do_not_matter(world: World, find: Find) -> None:
    await named(world, "JürgenMüller", "lukasz", "Łukasz2", "Søren", "Ёлка", "김철수")
    assert find("muller") == find("MÜLLER") == find("mu\N{COMBINING DIAERESIS}ller") == ["JürgenMüller"]
    assert find("łuk") == find("luk") == ["lukasz", "Łukasz2"]
    assert find("soren") == ["Søren"]
    assert find("елка") == ["Ёлка"]
    assert find("철") == ["김철수"]
    assert find("\N{CYRILLIC SMALL LETTER A}lic") == ["alice"]


async def test_the_text_is_no_pattern_and_an_overlong_one_finds_nothing(world: World, find: Find) -> None:
    await named(world, "al_bert", "al-bert")
    assert find("l_b") == ["al_bert"]
    for text in (
        "%",
        "_%",
        "\\",
        "'",
        '"',
        "*",
        "\x1f",
        "x" * 64,
        "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * 60,
    ):
        assert find(text) == [] or text == "\x1f"


async def test_guests_and_closed_accounts_are_not_found_and_guests_find_nobody(world: World, find: Find) -> None:
    gone, locked = await named(world, "alfred", "alma")
    await world.store.journal.submit(DeleteAccount(user=gone.id), SYSTEM)
    await world.store.journal.submit(SetDisabled(user=locked.id, disabled=True), SYSTEM)
    assert find("al") == ["alice"]
    assert find("gast") == find("deleted") == find("#") == []
    with pytest.raises(Forbidden):
        world.store.database.read(directory.search, world.guest, "al", 50)


async def test_a_list_of_all_people_has_pages_by_id(world: World) -> None:
    found: list[str] = []
    after, more = 0, True
    while more:
        page = world.store.database.read(directory.listing, world.bob, after, 2)
        assert isinstance(page["users"], list)
        found += [person["name"] for person in page["users"]]
        after, more = page["users"][-1]["id"], bool(page["more"])
    assert found == ["alice", "bob", "carol", "olga"]


async def test_members_are_found_by_any_part_of_their_names_by_members_alone(world: World) -> None:
    room = await world.room(
        CreateRoom.model_validate({"kind": "private", "name": "Secret", "members": [world.carol.id]})
    )

    def found(who: Actor, text: str, where: int = room) -> list[str]:
        page = world.store.database.read(members.search, who, where, text, 50)
        assert isinstance(page["members"], list)
        return [member["name"] for member in page["members"]]

    assert found(world.alice, "l") == ["carol", "alice"] or found(world.alice, "l") == ["alice", "carol"]
    assert found(world.carol, "LIC") == ["alice"]
    assert found(world.carol, "bob") == []
    assert found(world.bob, "bob", LOBBY) == ["bob"]
    assert found(world.guest, "ob", LOBBY) == ["bob"], "a guest sees the members of the lobby"
    with pytest.raises(NotFound):
        found(world.bob, "alice")


async def test_rooms_are_found_by_any_part_of_their_names_if_the_user_may_see_them(world: World) -> None:
    made = {
        name: await world.room(CreateRoom.model_validate({"kind": kind, "name": name}))
        for kind, name in (("public", "Café plans"), ("private", "Secret plans"), ("public", "Airplanes"))
    }
    await world.room(CreateRoom.model_validate({"kind": "direct", "members": [world.bob.id]}))

    def found(who: Actor, text: str, **query: bool) -> list[tuple[str, bool]]:
        page = world.store.database.read(rooms.search, who.id, text, 50, **query)
        assert isinstance(page["rooms"], list)
        return [(room["name"], room["joined"]) for room in page["rooms"]]

    assert found(world.alice, "plan") == [("Café plans", True), ("Secret plans", True), ("Airplanes", True)]
    assert found(world.bob, "plan") == [("Café plans", False), ("Airplanes", False)]
    assert found(world.bob, "CAFE PL") == [("Café plans", False)]
    assert found(world.bob, "bby") == [("Lobby", True)]
    await world.do(UpdateRoom.model_validate({"room": made["Airplanes"], "name": "Ships"}))
    await world.do(ArchiveRoom.model_validate({"room": made["Café plans"]}))
    assert found(world.bob, "plan") == [("Café plans", False)]
    assert found(world.bob, "plan", archived=False) == []
    assert found(world.bob, "hip") == [("Ships", False)]


async def test_a_search_among_a_hundred_thousand_people_takes_at_most_two_bounded_statements(world: World) -> None:
    parts = ["an", "na", "bel", "mi", "ro", "ka", "lo", "tu", "mann", "li"]

    def name(number: int) -> str:
        digits = [int(digit) for digit in str(number)]
        return "".join(parts[digit] for digit in digits[:4]) + f".{number}"

    crowd = [(10_000 + number, name(number)) for number in range(CROWD)]
    common = {"role": "member", "disabled": False, "created_at": START}
    with world.store.elsewhere() as connection:
        connection.execute(
            insert(users),
            [{"id": id_, "name": who, "skeleton": who, "search_key": search_key(who), **common} for id_, who in crowd],
        )
        place = {"room": LOBBY, "role": "member", "joined_seq": 1, "joined_at": START, "read_seq": 1, "read_n": 0}
        connection.execute(insert(memberships), [{"user": id_, **place} for id_, _ in crowd])
        if not world.store.database.is_sqlite:
            connection.exec_driver_sql("ANALYZE")

    def processor_time(search: Callable[[Connection], None]) -> float:
        """Return the seconds that this process spends. PostgreSQL ends a statement that takes too long."""
        began = thread_time()
        world.store.database.read(search)
        return thread_time() - began

    for text in ("a", "anna", "mannmann.99", ".77777", "zzz", "nali"):

        def search(connection: Connection, text: str = text) -> None:
            assert len(accounts.search(connection, text, 51)) <= 51
            assert members.search(connection, world.alice, LOBBY, text, 50)["members"] is not None

        spent = min(processor_time(search) for _ in range(3))
        assert spent < BOUND, f"{text}: {spent:.2f} s of processor time"
    assert world.store.database.read(accounts.search, ".77777", 51)[0].name == name(77_777)
