"""`hubbub backup` and `restore` with and without a server, and on a full disk."""

import io
import json
import os
import re
import stat
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import httpx
import pytest

from hubbub.cli.backup import Pipe
from hubbub.storage.backup_format import BackupError
from tests.cli.test_commands import log_in
from tests.conftest import MakeServer, Run
from tests.support.disk import fill, small_disk
from tests.support.postgres import Postgres
from tests.support.server import PASSWORD, Server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder without a running server, with one user."""
    server = Server(tmp_path_factory.mktemp("folder") / "data")
    server.command_line("migrate")
    server.command_line("user", "create", "only", "--role", "owner", "--password-stdin", stdin=PASSWORD)
    return server.data


@pytest.fixture(scope="module")
def chat(folder: Path) -> Path:
    """A backup of that folder, made by its own process."""
    file = folder.parent / "chat.zip"
    said = Server(folder).command_line("backup", str(file))
    assert re.fullmatch(r"Backed up 1 user, 1 room and 0 messages \([0-9.]+ kB\)\.\n", said)
    return file


def test_a_backup_is_one_file_that_only_its_owner_can_read(folder: Path, chat: Path) -> None:
    assert stat.S_IMODE(chat.stat().st_mode) == 0o600
    assert [path.name for path in chat.parent.iterdir() if path.name.startswith("chat")] == ["chat.zip"]
    with zipfile.ZipFile(chat) as found:
        assert found.read("secret.key") == (folder / "secret.key").read_bytes()
        manifest = json.loads(found.read("manifest.json"))
        assert set(found.namelist()) == manifest["parts"].keys() | {"manifest.json"}
    assert manifest["tables"]["users"]["rows"] == 1
    assert (manifest["format"], manifest["database"]) == (1, "sqlite")


def test_an_existing_file_is_overwritten_only_with_force(run: Run, folder: Path, chat: Path) -> None:
    before = chat.read_bytes()
    sentence = run("backup", chat, "--data", folder, fails=True)
    assert sentence == f"{chat} already exists. Choose another name, or overwrite it with --force."
    assert chat.read_bytes() == before
    assert run("backup", chat, "--force", "--quiet", "--data", folder) == ""
    assert chat.read_bytes() != before


def test_standard_output_receives_only_the_backup(run: Run, folder: Path, tmp_path: Path) -> None:
    # The file is opened for appending: a zip writer that seeks would damage it.
    with (tmp_path / "piped.zip").open("ab") as stream:
        command = [sys.executable, "-m", "hubbub", "backup", "-", "--data", str(folder)]
        done = subprocess.run(command, stdout=stream, stderr=subprocess.PIPE, text=True, check=True, timeout=60)
    assert done.stderr == "Backed up 1 user, 1 room and 0 messages.\n"
    assert run("restore", tmp_path / "piped.zip", "--quiet", "--data", tmp_path / "data") == ""


@pytest.mark.parametrize("reads", [False, True])
def test_a_backup_waits_for_its_reader_but_not_for_ever(reads: bool) -> None:
    """The control reads slowly, but reads."""
    there, here = os.pipe()
    data, taken = bytes(range(256)) * 1_000, bytearray()

    def read() -> None:
        while len(taken) < len(data):
            taken.extend(os.read(there, 65_536))
            time.sleep(0.05)  # slow

    reader = threading.Thread(target=read)
    try:
        if reads:
            reader.start()
            assert Pipe(here, patience=30.0).write(data) == len(data)
            reader.join(30)
            assert taken == data
        else:
            with pytest.raises(BackupError, match="too slow"):
                Pipe(here, patience=0.2).write(data)
    finally:
        os.close(there)
        os.close(here)


def test_a_restore_into_an_empty_folder_brings_back_everything(run: Run, chat: Path, make_server: MakeServer) -> None:
    server = make_server()
    said = run("restore", chat, "--data", server.data)
    assert re.fullmatch(r"Restored 1 user, 1 room and 0 messages, as of \d{4}-\d\d-\d\d \d\d:\d\d UTC\.\n", said)
    with server:
        assert log_in(server, "only") == 200
        assert "/setup#" not in server.log_text()


def test_an_existing_site_is_replaced_only_with_replace_and_is_kept(
    run: Run, monkeypatch: pytest.MonkeyPatch, chat: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    monkeypatch.setattr(sys, "stdin", io.StringIO(PASSWORD))
    run("migrate", "--data", data)
    run("user", "create", "other", "--password-stdin", "--data", data)
    sentence = run("restore", chat, "--data", data, fails=True)
    assert sentence == "The database already contains a site. Use --replace to move it aside."
    assert "other" in run("user", "list", "--data", data)
    said = run("restore", chat, "--replace", "--data", data)
    (kept,) = re.findall(r"^The previous data is in (.*)\.$", said, re.MULTILINE)
    listed = run("user", "list", "--data", data)
    assert "only" in listed
    assert "other" not in listed
    assert "other" in run("user", "list", "--data", kept)


def test_with_a_running_server_backup_works_and_restore_is_refused(run: Run, server: Server, tmp_path: Path) -> None:
    account = server.sign_up("busy")
    file = tmp_path / "running.zip"
    assert "messages" in server.command_line("backup", str(file))
    sentence = run("restore", file, "--replace", "--data", server.data, fails=True)
    assert sentence.startswith(f"Another Hubbub process already uses the data folder {server.data}. Stop it,")
    assert account.get("/users/me")["id"] == account.id
    assert httpx.get(f"{server.url}/health/ready").status_code == 200


def test_restore_works_from_sqlite_to_postgresql_and_is_refused_while_a_server_uses_it(
    run: Run, monkeypatch: pytest.MonkeyPatch, chat: Path, make_server: MakeServer, postgres_server: Postgres
) -> None:
    address = postgres_server.empty()
    server = make_server({"HUBBUB_DATABASE_URL": address})
    run("restore", chat, "--database-url", address, "--data", server.data)
    monkeypatch.setattr("hubbub.storage.restore.PATIENCE", 0.1)
    with server:
        assert log_in(server, "only") == 200
        monkeypatch.setenv("HUBBUB_DATABASE_URL", address)
        elsewhere = server.data.parent / "elsewhere"
        sentence = run("restore", chat, "--replace", "--data", elsewhere, fails=True)
        assert sentence.startswith(f"Another Hubbub server (process {server.pid} on ")
        assert log_in(server, "only") == 200
        said = run("backup", elsewhere / "again.zip", "--data", server.data)
        assert said.startswith("Backed up 1 user, 1 room and 0 messages")
    postgres_server.drop(address)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("backup {tmp}/a.zip --data {tmp}/none", "There is no database at {tmp}/none/hubbub.db: nothing to back up."),
        ("backup {tmp}/none/a.zip --data {folder}", "No such file or directory: {tmp}/none."),
        ("restore {tmp}/none.zip --data {tmp}/data", "No such file or directory: {tmp}/none.zip."),
        ("restore {tmp}/text --data {tmp}/data", "{tmp}/text is not a backup of Hubbub."),
    ],
)
def test_a_failed_backup_or_restore_prints_one_sentence_and_leaves_no_files(
    run: Run, tmp_path: Path, folder: Path, arguments: str, sentence: str
) -> None:
    (tmp_path / "text").write_text("hello")
    places = {"tmp": tmp_path, "folder": folder}
    assert run(*arguments.format(**places).split(), fails=True) == sentence.format(**places)
    assert [path.name for path in tmp_path.iterdir()] == ["text"]


def test_a_full_disk_gives_a_sentence_and_no_partial_file(run: Run, folder: Path, chat: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk:
        filler = fill(disk, 4_096)
        sentence = run("backup", disk / "a.zip", "--data", folder, fails=True)
        assert sentence == f"No space left on device: {disk}/a.zip."
        assert list(disk.iterdir()) == [filler]
        filler.unlink()
        fill(disk, 64 * 1024)
        assert "No space left on device" in run("restore", chat, "--data", disk / "data", fails=True)
        assert {path.name for path in (disk / "data").iterdir()} <= {"lock", "hubbub.db.lock"}
        filler.unlink()
        run("restore", chat, "--data", disk / "data")
