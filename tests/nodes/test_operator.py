"""The operator's requests, sent to one node, take effect on the others within a second."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, get_args

import httpx
import pytest

from hubbub import control
from hubbub.cli.operator import ask_server
from hubbub.control import (
    ChangeSetting,
    CreateUser,
    ListDeadLetters,
    ListFollowers,
    ListSettings,
    ListUsers,
    LockUser,
    MakeInvite,
    MakeResetLink,
    RebuildSearch,
    Replay,
    Request,
    SetFollowerPaused,
    SetPassword,
    SettleLetter,
    ShowSearch,
    Tail,
)
from hubbub.domain.site_settings import NAMES
from tests.nodes.conftest import MakeSite, Site
from tests.support.client import Connection
from tests.support.server import PASSWORD, Account
from tests.support.timing import TooSlowError, within
from tests.support.waiting import eventually_async

pytestmark = pytest.mark.faults

PATIENCE = 30.0
SOON = 1.0
"""Seconds within which a request takes effect everywhere."""
_numbers = itertools.count(1)
_http = httpx.Client(trust_env=False, timeout=30.0, limits=httpx.Limits(max_keepalive_connections=0))
VALUES: dict[str, tuple[str, object]] = {
    "name": ("Acme", "Acme"), "signup": ("closed", "closed"), "guests": ("on", True), "retention_days": ("60", 60),
    "session_idle_days": ("7", 7), "session_max_days": ("30", 30),
}  # fmt: skip
"""For each setting of the site a value, as the operator writes it and as it is shown."""


def fresh(prefix: str) -> str:
    return f"{prefix}{next(_numbers)}"


@dataclass
class Scene:
    """A site of two nodes. The operator asks node `there`; the effect is seen on node `here`."""

    site: Site
    here: int
    there: int
    owner: Account
    member: Account
    """Both with sessions on `here`."""
    room: int

    async def ask(self, request: Request, node: int | None = None) -> dict[str, Any]:
        data = self.site.nodes[self.there if node is None else node].data
        answer = await asyncio.to_thread(ask_server, data, request)
        assert answer is not None
        return answer

    async def look(self, request: Request) -> dict[str, Any]:
        return await self.ask(request, self.here)

    async def user(self) -> Account:
        return await asyncio.to_thread(self.site.nodes[self.here].sign_up, "user")

    async def send(self, body: str) -> int:
        path = f"/api/rooms/{self.room}/messages"
        answer = await asyncio.to_thread(self.member.request, "POST", path, json={"body": body, "key": body})
        assert answer.status_code in (200, 201), answer.text
        return int(answer.json()["seq"])

    async def finds(self, word: str) -> bool:
        answer = await asyncio.to_thread(self.member.request, "GET", "/api/search", params={"q": word})
        assert answer.status_code == 200, answer.text
        return bool(answer.json()["results"])

    async def soon(self, condition: Callable[[], Awaitable[object]], what: str) -> None:
        """Wait for an effect. Raises TooSlowError if it comes later than it should."""
        with within(SOON):
            await eventually_async(condition, PATIENCE, what, every=0.02)

    async def dead_letters(self) -> list[int]:
        found = (await self.look(ListDeadLetters(follower="search")))["dead_letters"]
        return [int(each["seq"]) for each in found]

    def handled(self, node: int) -> float:
        return self.site.nodes[node].metrics().get('hubbub_follower_handled_total{kind="search"}', 0.0)


async def create_user(scene: Scene) -> None:
    name = fresh("made")
    await scene.ask(CreateUser(name=name, role="admin", password=PASSWORD))
    account = await asyncio.to_thread(scene.site.nodes[scene.here].log_in, name)
    assert account.get("/users/me")["role"] == "admin"


async def list_users(scene: Scene) -> None:
    account = await scene.user()
    found = (await scene.ask(ListUsers(after=account.id - 1)))["users"]
    assert account.name in [each["name"] for each in found]


async def lock_user(scene: Scene) -> None:
    account = await scene.user()
    socket = await Connection.open(scene.site.nodes[scene.here].websocket_url, account.token)
    await scene.ask(LockUser(name=account.name, disabled=True))
    with within(SOON):
        assert await socket.wait_closed(PATIENCE) in (4503, 4510)
    await scene.ask(LockUser(name=account.name, disabled=False))
    await asyncio.to_thread(scene.site.nodes[scene.here].log_in, account.name)


async def set_password(scene: Scene) -> None:
    account = await scene.user()
    socket = await Connection.open(scene.site.nodes[scene.here].websocket_url, account.token)
    new = f"{PASSWORD} again"
    await scene.ask(SetPassword(name=account.name, password=new))
    with within(SOON):
        assert await socket.wait_closed(PATIENCE) == 4503
    await asyncio.to_thread(scene.site.nodes[scene.here].log_in, account.name, new)


async def make_reset_link(scene: Scene) -> None:
    account = await scene.user()
    token = (await scene.ask(MakeResetLink(name=account.name)))["link"].partition("#")[2]
    new = f"{PASSWORD} again"
    url = f"{scene.site.nodes[scene.here].url}/api/reset"
    answer = await asyncio.to_thread(_http.post, url, json={"token": token, "password": new})
    assert answer.status_code == 204, answer.text
    await asyncio.to_thread(scene.site.nodes[scene.here].log_in, account.name, new)


async def make_invite(scene: Scene) -> None:
    token = (await scene.ask(MakeInvite()))["link"].partition("#")[2]
    new = {"username": fresh("invited"), "password": PASSWORD, "invite": token}
    url = f"{scene.site.nodes[scene.here].url}/api/users"
    answer = await asyncio.to_thread(_http.post, url, json=new)
    assert answer.status_code == 201, answer.text


async def tail(scene: Scene) -> None:
    """The other way round: what is sent on `here` wakes the command on `there`."""
    topic = f"room:{scene.room}"
    page = await scene.ask(Tail(topic=topic))
    position = {"topic": topic, "after": page["last"], "epoch": page["epoch"]}
    waiting = asyncio.create_task(scene.ask(Tail(**position, wait=control.MAX_WAIT)))
    await asyncio.sleep(0)
    body = fresh("tailed")
    await scene.send(body)
    with within(SOON):
        assert [event["body"] for event in (await waiting)["events"]] == [body]


async def list_followers(scene: Scene) -> None:
    for paused, state in ((True, "paused"), (False, "running")):
        await scene.look(SetFollowerPaused(follower="search", paused=paused))
        found = (await scene.ask(ListFollowers()))["followers"]
        assert {each["name"]: each["state"] for each in found} == {"search": state}


async def add_dead_letter(scene: Scene) -> int:
    seq = await scene.send(fresh("letter"))
    values = f"'search', 'room:{scene.room}', {seq}, 2000000000000, 1, 'test', false"
    scene.site.execute(f"INSERT INTO dead_letters VALUES ({values})")
    return seq


async def list_dead_letters(scene: Scene) -> None:
    seq = await add_dead_letter(scene)
    found = (await scene.ask(ListDeadLetters(follower="search")))["dead_letters"]
    assert seq in [each["seq"] for each in found]


async def set_follower_paused(scene: Scene) -> None:
    await scene.ask(SetFollowerPaused(follower="search", paused=True))
    try:
        for _ in range(3):  # one that is sent at once may still be handled
            word = fresh("paused")
            await scene.send(word)
            try:
                await eventually_async(lambda: scene.finds(word), SOON, "found")  # noqa: B023
            except AssertionError:
                break
        else:
            pytest.fail("the other node goes on")
    finally:
        await scene.ask(SetFollowerPaused(follower="search", paused=False))
    await scene.soon(lambda: scene.finds(word), "the other node has resumed")


async def replay(scene: Scene) -> None:
    await scene.send(fresh("replayed"))
    await eventually_async(lambda: caught_up(scene), PATIENCE, "everything is handled")
    before = await asyncio.to_thread(scene.handled, scene.here)
    await scene.ask(Replay(follower="search", topic=f"room:{scene.room}", seq=0))

    async def again() -> bool:
        return await asyncio.to_thread(scene.handled, scene.here) > before

    await scene.soon(again, "the other node handles it again")


async def caught_up(scene: Scene) -> bool:
    (found,) = (await scene.look(ListFollowers()))["followers"]
    return bool(found["entry_count"] == 0)


async def settle_letter(scene: Scene) -> None:
    for drop in (True, False):
        seq = await add_dead_letter(scene)
        await scene.ask(SettleLetter(follower="search", topic=f"room:{scene.room}", seq=seq, drop=drop))

        async def settled(seq: int = seq) -> bool:
            return seq not in await scene.dead_letters()

        await scene.soon(settled, "the letter is gone")


async def rebuild_search(scene: Scene) -> None:
    word = fresh("rebuilt")
    await scene.send(word)
    await eventually_async(lambda: scene.finds(word), PATIENCE, "it is found")
    await asyncio.to_thread(scene.site.execute, "DELETE FROM search_recent")
    assert not await scene.finds(word)
    await scene.ask(RebuildSearch())
    await scene.soon(lambda: scene.finds(word), "the index is built again")


async def show_search(scene: Scene) -> None:
    async def complete() -> bool:
        return bool((await scene.ask(ShowSearch()))["complete"])

    await eventually_async(complete, PATIENCE, "the index is complete")
    assert await scene.ask(ShowSearch()) == await scene.look(ShowSearch())


async def value_of(scene: Scene, setting: str, node: int) -> object:
    """Return a value in effect on a node: a running server tells what it has in memory."""
    found = (await scene.ask(ListSettings(), node))["settings"]
    return {each["setting"]: each["value"] for each in found}[setting]


async def list_settings(scene: Scene) -> None:
    name = fresh("Site ")
    await scene.look(ChangeSetting(setting="name", value=name))

    async def known() -> bool:
        return await value_of(scene, "name", scene.there) == name

    await scene.soon(known, "the new name is listed")


async def change_setting(scene: Scene) -> None:
    """Each setting of the site, set and unset."""
    assert VALUES.keys() == set(NAMES)
    before = {name: await value_of(scene, name, scene.here) for name in NAMES}
    for name, (text, value) in VALUES.items():
        await scene.ask(ChangeSetting(setting=name, value=text))
        await scene.soon(lambda: holds(scene, name, value), f"{name} holds")  # noqa: B023
        if name == "signup":
            answer = await asyncio.to_thread(_http.get, f"{scene.site.nodes[scene.here].url}/api/site")
            assert answer.json()["signup"] == value
        await scene.ask(ChangeSetting(setting=name, value=None))

        async def other() -> bool:
            return await value_of(scene, name, scene.here) != value  # noqa: B023

        await scene.soon(other, f"{name} is unset")
    await scene.ask(ChangeSetting(setting="signup", value=str(before["signup"])))


async def holds(scene: Scene, name: str, value: object) -> bool:
    return await value_of(scene, name, scene.here) == value


CASES: dict[type[Request], Callable[[Scene], Awaitable[None]]] = {
    CreateUser: create_user,
    ListUsers: list_users,
    LockUser: lock_user,
    SetPassword: set_password,
    MakeResetLink: make_reset_link,
    MakeInvite: make_invite,
    Tail: tail,
    ListFollowers: list_followers,
    ListDeadLetters: list_dead_letters,
    SetFollowerPaused: set_follower_paused,
    Replay: replay,
    SettleLetter: settle_letter,
    RebuildSearch: rebuild_search,
    ShowSearch: show_search,
    ListSettings: list_settings,
    ChangeSetting: change_setting,
}


async def scene_of(make_site: MakeSite, broken: str | None = None) -> Scene:
    site = await asyncio.to_thread(make_site, 2, broken, HUBBUB_SIGNUP=None)
    await asyncio.to_thread(ask_server, site.nodes[0].data, ChangeSetting(setting="signup", value="open"))
    owner = await asyncio.to_thread(site.nodes[1].create_owner)
    member = await asyncio.to_thread(site.nodes[0].sign_up, "member")
    scene = Scene(site, 1, 0, owner, member, await asyncio.to_thread(member.create_room, "Room"))
    scene.member = site.there(member, 1)
    return scene


def test_there_is_a_case_for_every_request() -> None:
    assert set(CASES) == set(get_args(Request))


async def test_every_request_takes_effect_on_the_other_node_within_a_second(make_site: MakeSite) -> None:
    scene = await scene_of(make_site)

    async def worked() -> bool:
        await scene.send(fresh("first"))
        return bool([node for node in (0, 1) if await asyncio.to_thread(scene.handled, node)])

    await eventually_async(worked, PATIENCE, "the follower of the search index works", every=0.5)
    # Effects on that follower are seen on the node where it runs.
    if await asyncio.to_thread(scene.handled, scene.here) == 0:
        scene.here, scene.there = scene.there, scene.here
        scene.member = scene.site.there(scene.member, scene.here)
    for case in CASES.values():
        for attempt in (1, 2, 3):
            try:
                await case(scene)
                break
            except TooSlowError:
                if attempt == 3:
                    raise


async def test_control_a_node_that_hears_nothing_keeps_sessions_and_settings(make_site: MakeSite) -> None:
    scene = await scene_of(make_site, "deaf no-positions")
    await scene.ask(ChangeSetting(setting="name", value="Acme"))
    with pytest.raises(AssertionError, match="not within"):
        await eventually_async(lambda: holds(scene, "name", "Acme"), 3 * SOON, "the name holds")
    socket = await Connection.open(scene.site.nodes[scene.here].websocket_url, scene.member.token)
    await scene.ask(LockUser(name=scene.member.name, disabled=True))
    with pytest.raises(TimeoutError):
        await socket.wait_closed(3 * SOON)
    await socket.abort()
