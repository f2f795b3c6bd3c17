"""schemathesis over all of REST, in three roles: the OpenAPI document is true.

The roles are anonymous, member and owner. The long form generates new examples each time and runs
all phases for all roles: 22,118 requests when last measured.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.conformance.rest import ALL_PHASES, METHODS, Found, Role, World, run
from tests.support import depth
from tests.support.server import Server

pytestmark = pytest.mark.faults

SHORT = ("--generation-deterministic", "--max-examples", "3")
NOBODY_MAY = {
    "welcome", "show_site", "health", "ready", "metrics", "create_user", "log_in", "create_token",
    "refresh_token", "check_invite", "reset_password",
}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Server(tmp_path_factory.mktemp("rest") / "data", {"HUBBUB_ACCESS_TOKEN_SECONDS": "86400"}) as server:
        yield World(server)


NEVER = {"drop_dead_letter", "retry_dead_letter", "drop_webhook_dead_letter", "retry_webhook_dead_letter"}
"""Operations on dead letters: a sound server has none. `tests/followers` and `tests/webhooks` make some."""


@pytest.mark.timeout(600)
def test_the_rest_interface_conforms_to_its_openapi_document(world: World, tmp_path: Path) -> None:
    examples = depth.rounds("examples for each operation", short=3, long=200)
    roles = {"nobody": Role(""), "member": Role(world.member.name), "owner": Role(world.owner.name, "browser")}

    def ask(name: str) -> Found:
        # The short form runs the coverage phase once, since its requests do not depend on the role,
        # and sequences of requests only for the role that may send most of them.
        phases = ALL_PHASES if depth.PROVING or name == "member" else "examples,fuzzing"
        size = ("--max-examples", str(examples)) if depth.PROVING else SHORT
        methods = METHODS if depth.PROVING else ("PUT",)
        return run(world, roles[name], tmp_path / name, "--phases", phases, *size, methods=methods)

    with ThreadPoolExecutor(len(roles)) as pool:
        found = dict(zip(roles, pool.map(ask, roles), strict=True))
    for name, one in found.items():
        print(name, one.requests(), "requests,", f"{one.share():.0%} of the right ones did it")  # noqa: T201
        assert one.code == 0, f"as {name}:\n{one.said[-20_000:]}"
        assert max(one.statuses()) < 500, f"as {name}: {one.right} {one.wrong}"
    log = world.server.log_text()
    for word in ("Traceback", '"level": "error"', '"level": "critical"', "request_failed"):
        assert word not in log, log[max(0, log.index(word) - 1_000) :][:4_000]
    everything = operations(world.server)
    assert found["nobody"].succeeded() <= NOBODY_MAY
    succeeded = set[str]().union(*(one.succeeded() for one in found.values()))
    assert everything - succeeded == NEVER, "operations that never succeeded"
    assert found["member"].share() > 0.2, "many operations need a moderator or owner"
    assert found["owner"].share() > 0.3


def test_control_a_wrong_openapi_document_is_detected(world: World, tmp_path: Path) -> None:
    options = ("--phases", "examples,fuzzing", *SHORT, "--include-path-regex", "^/(users/me|api/users/.*)$")
    found = run(world, Role(world.member.name), tmp_path / "tampered", *options, tampered=True)
    assert found.code == 1, found.said
    assert "Response violates schema" in found.said
    assert "Undocumented status code" in found.said


def operations(server: Server) -> set[str]:
    document = httpx.get(f"{server.url}/openapi.json", trust_env=False, timeout=30).json()
    return {operation["operationId"] for methods in document["paths"].values() for operation in methods.values()}
