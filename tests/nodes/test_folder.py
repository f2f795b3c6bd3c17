"""Several processes of one site in one data folder: locks, numbers, sockets, the high-water mark."""

import asyncio
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from hubbub.cli.operator import ask_server
from hubbub.control import ListUsers, socket_of, sockets
from hubbub.gateways.http.operator import create_operator_app
from hubbub.gateways.operator_socket import operator_socket
from hubbub.storage import epochs, locks
from hubbub.storage.epochs import Commit, Mark
from hubbub.storage.locks import FolderInUse, folder_lock, shared_folder_lock
from tests.support.world import world_at

MARK = Mark("e", "r", Commit(7, "room:1", 3), number=1)


def test_each_process_has_the_number_that_it_wants_or_the_lowest_free_one(tmp_path: Path) -> None:
    with shared_folder_lock(tmp_path) as first, ExitStack() as second:
        assert first == 0
        assert second.enter_context(shared_folder_lock(tmp_path, 2)) == 2
        with shared_folder_lock(tmp_path, 2) as third, shared_folder_lock(tmp_path) as fourth:
            assert (third, fourth) == (1, 3)
        second.close()
        with shared_folder_lock(tmp_path, 2) as again:
            assert again == 2


def test_a_process_too_many_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "PROCESSES", 2)
    with (
        shared_folder_lock(tmp_path),
        shared_folder_lock(tmp_path),
        pytest.raises(FolderInUse, match="2 Hubbub processes already use"),
        shared_folder_lock(tmp_path),
    ):
        pass


def test_a_process_without_a_bus_and_nodes_exclude_each_other_in_a_folder(tmp_path: Path) -> None:
    with (
        shared_folder_lock(tmp_path),
        pytest.raises(FolderInUse, match="set HUBBUB_BUS_URL and HUBBUB_DATABASE_URL"),
        folder_lock(tmp_path),
    ):
        pass
    with (
        folder_lock(tmp_path),
        pytest.raises(FolderInUse, match="set its HUBBUB_BUS_URL, too"),
        shared_folder_lock(tmp_path),
    ):
        pass
    with folder_lock(tmp_path):
        pass


def test_a_node_keeps_a_mark_of_another_that_is_newer(tmp_path: Path) -> None:
    epochs.write(tmp_path, MARK, alone=False)
    for older in (MARK, Mark("e", "r", Commit(6, "room:2", 9), number=1), Mark("d", "r", Commit(9, "room:1", 9))):
        epochs.write(tmp_path, older, alone=False)
        assert epochs.read(tmp_path) == MARK
    for newer in (Mark("e", "s", Commit(8, "room:1", 4), number=1), Mark("f", "r", None, number=2)):
        epochs.write(tmp_path, newer, alone=False)
        assert epochs.read(tmp_path) == newer


def test_control_a_process_that_is_alone_replaces_any_mark(tmp_path: Path) -> None:
    epochs.write(tmp_path, MARK)
    older = Mark("e", "r", Commit(6, "room:2", 9))
    epochs.write(tmp_path, older)
    assert epochs.read(tmp_path) == older


def test_the_mark_of_a_node_that_stops_is_not_clean_since_others_may_go_on(tmp_path: Path) -> None:
    epochs.close(tmp_path, MARK, alone=False)
    found = epochs.read(tmp_path)
    assert found is not None
    assert not found.clean


def test_nodes_that_write_the_mark_at_once_leave_a_whole_one(tmp_path: Path) -> None:
    def write(node: int) -> None:
        for number in range(20):
            commit = Commit(number << 10 | node, f"room:{'1' * node}", number)
            epochs.write(tmp_path, Mark("e" * (node + 1), "r", commit, number=1), alone=False)

    threads = [threading.Thread(target=write, args=(node,)) for node in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = epochs.read(tmp_path)
    assert found is not None
    assert found.commit == Commit(19 << 10 | 3, "room:111", 19)
    assert sorted(path.name for path in tmp_path.iterdir()) == [epochs.FILE, f"{epochs.FILE}.lock"]


async def test_the_command_line_finds_any_process_of_a_folder_behind_sockets_that_are_left(tmp_path: Path) -> None:
    async with world_at(tmp_path / "data") as world:
        data = world.services.settings.data
        await world.program("alice")
        for number in (0, 3):  # left by processes that were killed
            socket_of(data, number).touch()
        app = create_operator_app(world.services)
        async with operator_socket(app, socket_of(data, 7), world.services.settings, world.services.stopping):
            assert list(sockets(data)) == [0, 3, 7]
            answer = await asyncio.to_thread(ask_server, data, ListUsers())
            assert answer is not None
            assert "alice" in str(answer["users"])
        assert await asyncio.to_thread(ask_server, data, ListUsers()) is None
