"""Commands on a real data folder, with and without a running server."""

import io
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from hubbub import cli
from hubbub.control import MAX_PATH
from tests.conftest import MakeServer
from tests.support import forked
from tests.support.server import PASSWORD, Server
from tests.support.waiting import eventually_blocking


def run(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a `hubbub` command and return its result, also if it fails."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HUBBUB_")}
    return forked.run([sys.executable, "-m", "hubbub", *arguments], env={**inherited, **variables}, input=stdin)


def told(done: subprocess.CompletedProcess[str], code: int) -> str:
    """Return the one sentence printed by a command that failed with `code`."""
    assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    # The other lines are the log.
    (sentence,) = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert sentence.startswith("hubbub: ")
    return sentence.removeprefix("hubbub: ")


def log_in(server: Server, name: str, password: str = PASSWORD) -> int:
    return httpx.post(f"{server.url}/token", data={"username": name, "password": password}).status_code


# --- with a server ---------------------------------------------------------------------------------------------------


def test_the_search_index_is_rebuilt_by_the_running_server_and_without_one(make_server: MakeServer) -> None:
    with make_server() as server:
        user = server.sign_up()
        room = user.create_room("Talk")
        for number in range(3):
            message = {"key": f"k{number}", "body": f"fox {number}"}
            assert user.request("POST", f"/api/rooms/{room}/messages", json=message).is_success
        told = server.command_line("search", "rebuild")
        assert told.endswith("The search index is complete.\n")
        assert "Indexed 3 of 3 messages (100 %)" in told
        assert len(user.get("/api/search", q="fox")["results"]) == 3
        server.stop()
        assert "Indexed 3 of 3 messages (100 %)" in server.command_line("search", "rebuild")
        server.start()
        assert len(user.get("/api/search", q="fox")["results"]) == 3


def test_the_operator_can_create_owners_and_admins(server: Server) -> None:
    for role in ("owner", "admin"):
        server.command_line("user", "create", f"the-{role}", "--role", role, "--password-stdin", stdin=PASSWORD)
        assert server.log_in(f"the-{role}").get("/users/me")["role"] == role


def test_an_invite_admits_as_many_users_as_it_has_uses(make_server: MakeServer) -> None:
    with make_server({"HUBBUB_SIGNUP": "invite"}) as server:
        link = server.command_line("invite", "create", "--uses", "2", "--expires", "1h").strip()
        token = link.partition("/invite#")[2]
        answers = [
            httpx.post(
                f"{server.url}/api/users", json={"username": name, "password": PASSWORD, "invite": token}
            ).status_code
            for name in ("one", "two", "three")
        ]
        assert answers == [201, 201, 403]


def test_a_second_server_on_one_data_folder_is_refused_with_a_sentence(server: Server) -> None:
    done = run("serve", "--port", "0", "--data", str(server.data))
    assert told(done, 1).startswith(f"Another Hubbub process already uses the data folder {server.data}. Stop it,")
    assert server.is_ready()
    assert (server.data / "control.sock").exists()


def test_a_taken_port_is_reported_in_a_sentence(server: Server, tmp_path: Path) -> None:
    done = run("serve", "--host", "127.0.0.1", "--port", str(server.port), "--data", str(tmp_path / "other"))
    assert str(server.port) in told(done, 1)


def test_only_the_operator_can_open_the_control_socket_and_it_is_removed_on_stop(make_server: MakeServer) -> None:
    server = make_server()
    path = server.data / "control.sock"
    with server:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(server.data.stat().st_mode) == 0o700
        server.stop()
        assert not path.exists()


def test_a_command_waits_for_a_server_that_is_starting(make_server: MakeServer) -> None:
    server = make_server()
    server.launch()
    eventually_blocking((server.data / "lock").exists, 20, "the server has taken its lock")
    server.command_line("user", "create", "early", "--password-stdin", stdin=PASSWORD)
    server.wait_ready()
    assert log_in(server, "early") == 200


def test_a_data_folder_whose_path_is_too_long_for_a_socket_works(make_server: MakeServer, tmp_path: Path) -> None:
    data = tmp_path.joinpath(*(["a-rather-long-name-of-a-folder"] * 5)) / "data"
    data.parent.mkdir(parents=True)
    assert len(str(data / "control.sock")) > MAX_PATH
    with make_server(data=data) as server:
        server.command_line("user", "create", "deep", "--password-stdin", stdin=PASSWORD)
        assert log_in(server, "deep") == 200


# --- without a server ------------------------------------------------------------------------------------------------


def test_migrate_creates_the_database_and_is_idempotent(tmp_path: Path) -> None:
    for _ in range(2):
        done = run("migrate", "--data", str(tmp_path / "data"))
        assert (done.returncode, done.stdout) == (0, "The database is up to date.\n"), done.stderr
    assert (tmp_path / "data" / "hubbub.db").exists()


def test_version_prints_the_version_of_the_package() -> None:
    from hubbub.version import __version__

    assert run("--version").stdout == f"hubbub {__version__}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder without a running server, with one user."""
    data = tmp_path_factory.mktemp("folder") / "data"
    assert run("migrate", "--data", str(data)).returncode == 0
    done = run("user", "create", "only", "--role", "owner", "--password-stdin", "--data", str(data), stdin=PASSWORD)
    assert done.returncode == 0, done.stderr
    return data


@pytest.mark.parametrize(
    ("arguments", "stdin", "word"),
    [
        (("user", "create", "only", "--password-stdin"), PASSWORD, "already taken"),
        (("user", "create", "two words", "--password-stdin"), PASSWORD, "letters, digits"),
        (("user", "create", "short", "--password-stdin"), "short", "at least 8"),
        (("user", "reset-link", "nobody"), "", "no user called nobody"),
        (("user", "disable", "only"), "", "last owner"),
    ],
)
def test_a_refused_command_prints_one_sentence(folder: Path, arguments: tuple[str, ...], stdin: str, word: str) -> None:
    assert word in told(run(*arguments, "--data", str(folder), stdin=stdin), 1)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("user", "create", "x", "--password-stdin"), "no password"),
        (("user", "create", "x"), "--password-stdin"),
        (("invite", "create", "--expires", "soon"), "never"),
        (("serve", "--port", "70000"), "65535"),
        (("serve", "--set", "potr=1"), "potr"),
        (("serve", "--set", "signup=opne"), "invite, open or closed"),
        (("serve", "--config", "absent.toml"), "absent.toml"),
    ],
)
def test_wrong_arguments_print_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], word: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["hubbub", *arguments])
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(SystemExit) as ended:
        cli.main()
    sentence = capsys.readouterr().err.strip()
    assert ended.value.code == 2
    assert word in sentence
    assert sentence.startswith("hubbub: ")
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("name", "password", "sentence"),
    [
        (b"\xff", b"long enough\n", "The argument is not valid UTF-8."),
        (b"name", b"long \xff enough\n", "The password on standard input is not valid UTF-8."),
    ],
)
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_a_name_or_password_that_is_not_utf8_is_refused(
    folder: Path, name: bytes, password: bytes, sentence: str, locale: str
) -> None:
    command: list[str | bytes] = [
        sys.executable,
        "-m",
        "hubbub",
        "user",
        "create",
        name,
        "--password-stdin",
        "--data",
        str(folder),
    ]
    variables = {**os.environ, "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(command, input=password, capture_output=True, env=variables, timeout=120, check=False)
    assert (done.returncode, done.stderr.decode().strip()) == (2, f"hubbub: {sentence}")


def test_an_empty_signing_key_stops_the_start_with_one_sentence(folder: Path) -> None:
    path = folder / "secret.key"
    key = path.read_bytes()
    path.write_bytes(b"")
    try:
        sentence = told(run("serve", "--port", "0", "--data", str(folder)), 1)
    finally:
        path.write_bytes(key)
    assert sentence.startswith(f"The signing key {path} is damaged: it is empty.")


def test_a_data_folder_that_cannot_be_created_is_reported_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "file" in told(run("migrate", "--data", str(tmp_path / "file" / "data")), 1)


def test_a_wrong_setting_stops_the_start(tmp_path: Path) -> None:
    done = run("serve", "--data", str(tmp_path / "data"), HUBBUB_GUESTS="perhaps")
    assert told(done, 2) == "The variable HUBBUB_GUESTS has an invalid value 'perhaps'; allowed: on or off."


def test_ctrl_c_ends_the_server_without_a_traceback(make_server: MakeServer) -> None:
    server = make_server()
    server.by_fork = False
    server.start()
    process, server.process = server.process, None
    assert process is not None
    process.send_signal(signal.SIGINT)
    assert process.wait(15) == 0
    assert "Traceback" not in server.log_text()


def test_every_command_says_which_database_does_not_answer_and_why(tmp_path: Path) -> None:
    url = "postgresql+psycopg://chat:not-told@127.0.0.1:1/chat"
    commands = [
        ("user", "list"), ("migrate",), ("backup", str(tmp_path / "chat.zip")), ("follower", "list"),
        ("settings", "list"),
    ]  # fmt: skip
    for command in commands:
        done = run(*command, "--data", str(tmp_path), HUBBUB_DATABASE_URL=url)
        sentence = told(done, 1)
        assert 'server at "127.0.0.1", port 1 failed: Connection refused' in sentence, command
        assert "HUBBUB_DATABASE_URL" in sentence
        assert "not-told" not in done.stdout + done.stderr
