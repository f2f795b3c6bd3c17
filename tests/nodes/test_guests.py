"""Plain-text guests of several nodes: shown on all, closed with their node, never with another one."""

import asyncio

import pytest

from tests.nodes.conftest import MakeSite
from tests.support.lines import end, enter, fresh, line, until
from tests.support.waiting import eventually_async

pytestmark = pytest.mark.faults

DEADLINE = 90.0
GUESTS = {"HUBBUB_GUESTS": "on"}


async def test_a_guest_of_one_node_is_shown_to_plain_text_clients_of_the_others(make_site: MakeSite) -> None:
    site = await asyncio.to_thread(make_site, 2, **GUESTS)
    here, there = fresh(), fresh()
    first = await enter(site.nodes[0], here)
    await until(first, f"Client #{here} joined the chat.")
    second = await enter(site.nodes[1], there)
    await until(first, f"Client #{there} joined the chat.")
    await second.send("hello")
    assert await line(first) == f"Client #{there} says: hello"
    await second.close()
    assert await line(first) == f"Client #{there} left the chat."
    await first.close()


async def test_the_guests_of_a_node_that_crashed_are_closed_and_those_of_other_nodes_stay(make_site: MakeSite) -> None:
    site = await asyncio.to_thread(make_site, 2, **GUESTS)
    here, there = fresh(), fresh()
    first = await enter(site.nodes[0], here)
    second = await enter(site.nodes[1], there)
    await until(first, f"Client #{there} joined the chat.")
    await asyncio.to_thread(site.nodes[1].kill)
    await until(first, f"Client #{there} left the chat.", 45.0, silence=45.0)

    async def is_free() -> bool:
        socket = await enter(site.nodes[0], there)
        said = await line(socket)
        await socket.close()
        return said == f"Client #{there} joined the chat."

    await eventually_async(is_free, DEADLINE, "the name of the guest is free", every=1.0)
    await first.send("still here")
    await until(first, f"Client #{here} says: still here")
    await second.close()
    await first.close()


@pytest.mark.parametrize("trusting", [False, True], ids=["as it is", "control"])
async def test_the_guests_of_a_node_that_is_not_heard_stay_while_it_is_alive(
    make_site: MakeSite, trusting: bool
) -> None:
    """The first node is cut off from the bus, but not from the database."""
    broken = "quick-guests trust-silence" if trusting else "quick-guests"
    site = await asyncio.to_thread(make_site, 2, first="mute", broken=broken, **GUESTS)
    name = fresh()
    guest = await enter(site.nodes[0], name)
    await until(guest, f"Client #{name} joined the chat.")
    if trusting:
        _, code = await end(guest, DEADLINE)
        assert code == 4503, "the control: another node closed the guest; the connection ends properly"
        return
    with pytest.raises(TimeoutError):
        await end(guest, 10.0)
    await guest.send("still here")
    await until(guest, f"Client #{name} says: still here")
    await guest.close()
