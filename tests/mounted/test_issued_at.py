"""Stateless log-ins, such as JWTs, from before a revocation are kept out."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hubbub import Identity
from hubbub.domain.identities import began_before
from tests.mounted.host_app import HostApp
from tests.support.asgi_socket import Socket


def anna(issued_at: float | datetime | None) -> Identity:
    return Identity("app", "1", "Anna", issued_at=issued_at)


async def status(host: HostApp, token: str) -> int:
    return (await host.ask("GET", "/users/me", token)).status_code


@pytest.mark.parametrize("kind", ["seconds", "datetime"])
async def test_a_log_in_from_before_the_revocation_is_refused_and_a_later_one_accepted(
    tmp_path: Path, kind: str
) -> None:
    def moment(seconds: float) -> float | datetime:
        return seconds if kind == "seconds" else datetime.fromtimestamp(seconds, UTC)

    host = HostApp(tmp_path / "chat")
    host.people["old"] = anna(moment(time.time()))
    async with host.hubbub.lifespan():
        assert await status(host, "old") == 200
        await host.hubbub.revoke("1", issuer="app")
        host.people["new"] = anna(moment(time.time() + 0.01))
        assert (await status(host, "old"), await status(host, "new")) == (401, 200)
        socket = Socket(host.hubbub.app)
        assert (await socket.greet("old"))["error"]["code"] == "unauthenticated"
        await socket.leave()
    again = HostApp(tmp_path / "chat")
    again.people = host.people
    async with again.hubbub.lifespan():
        assert (await status(again, "old"), await status(again, "new")) == (401, 200), "also after a restart"


async def test_a_log_in_of_the_same_second_counts_as_older_if_its_time_is_in_whole_seconds(host: HostApp) -> None:
    await host.hubbub.revoke("1", issuer="app")
    host.people["a"] = anna(float(int(time.time() - 0.001)))
    assert await status(host, "a") == 401


async def test_control_without_issued_at_a_stateless_log_in_is_let_in_again(host: HostApp) -> None:
    host.people["old"] = anna(None)
    assert await status(host, "old") == 200
    await host.hubbub.revoke("1", issuer="app")
    assert await status(host, "old") == 200


async def test_a_revocation_before_the_first_visit_counts_too(host: HostApp) -> None:
    host.people["old"] = anna(time.time())
    await host.hubbub.revoke("1", issuer="app")
    assert await status(host, "old") == 401


async def test_a_revocation_of_another_user_does_not_count(host: HostApp) -> None:
    host.people["old"] = anna(time.time())
    await host.hubbub.revoke("2", issuer="app")
    await host.hubbub.revoke("1", issuer="another app")
    assert await status(host, "old") == 200


@pytest.mark.parametrize(("issued_at", "before"), [(1.0, True), (1.0009, True), (1.0015, False), (0.999, True)])
def test_a_log_in_within_the_millisecond_of_the_revocation_is_older(issued_at: float, before: bool) -> None:
    assert began_before(anna(issued_at), 1_000) is before
