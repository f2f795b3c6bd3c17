"""`hubbub settings` on a running server, and with the server stopped."""

from pathlib import Path

import pytest

from tests.cli.test_commands import run as run_process
from tests.cli.test_commands import told
from tests.conftest import MakeServer, Run
from tests.support.server import Account, Server


def of(account: Account, name: str) -> object:
    return {each["setting"]: each["value"] for each in account.get("/api/settings")["settings"]}[name]


def test_a_running_server_uses_what_the_command_line_sets_at_once_and_after_a_restart(make_server: MakeServer) -> None:
    with make_server({"HUBBUB_SIGNUP": ""}) as server:
        owner = server.create_owner()
        assert server.command_line("settings", "get", "name") == "Hubbub\n"
        assert server.command_line("settings", "set", "name", "Acme") == "name is now Acme.\n"
        assert server.command_line("settings", "set", "signup", "open") == "signup is now open.\n"
        assert server.command_line("settings", "set", "guests", "on") == "guests is now on.\n"
        assert server.command_line("settings", "set", "retention-days", "7") == "retention_days is now 7.\n"
        server.sign_up()
        assert of(owner, "name") == "Acme"
        (line,) = [line for line in server.log_lines("setting_changed") if line["setting"] == "name"]
        assert (line["value"], line["user"]) == ("Acme", 0)
        server.stop()
        assert server.command_line("settings", "set", "name", "Stopped") == "name is now Stopped.\n"
        server.start()
        assert [of(owner, name) for name in ("name", "guests", "retention_days")] == ["Stopped", True, 7]
        assert server.command_line("settings", "unset", "name") == "name is now Hubbub, the default.\n"
        assert of(owner, "name") == "Hubbub"


def test_without_a_server_the_values_are_listed_with_where_they_come_from(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = ("--data", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    run("migrate", *data)
    run("settings", "set", "retention_days", "5", *data)
    monkeypatch.setenv("HUBBUB_NAME", "Ours")
    Path("hubbub.toml").write_text("guests = true")
    lines = run("settings", "list", *data).splitlines()
    shown = {
        cells[0]: cells[1:4] for line in lines if len(cells := [cell.strip() for cell in line.split("│")[1:-1]]) == 5
    }
    assert shown["name"] == ["Ours", "Hubbub", "fixed by the variable HUBBUB_NAME"]
    assert shown["guests"] == ["on", "off", "fixed by the key guests in hubbub.toml"]
    assert shown["retention_days"] == ["5", "30", "database"]
    assert shown["signup"] == ["invite", "invite", "default"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("set", "signup", "maybe"), "signup: must be invite, open or closed."),
        (("set", "retention_days", "9" * 250), "retention_days: must be a number of days from 1 to 36500."),
        (("set", "name", "x" * 257), "value: must have at most 256 characters."),
        (("set", "name", ""), "name: must be the name of this site, 1 to 64 characters."),
        (("set", "host", "::"), "There is no such setting. `hubbub settings list` lists all."),
        (("set", "X" * 100, "::"), "There is no such setting. `hubbub settings list` lists all."),
        (("get", "host"), "There is no such setting. `hubbub settings list` lists all."),
        (("unset", "host"), "There is no such setting. `hubbub settings list` lists all."),
    ],
)  # fmt: skip
def test_what_is_refused_without_a_server(tmp_path: Path, run: Run, arguments: tuple[str, ...], sentence: str) -> None:
    run("migrate", "--data", tmp_path / "data")
    assert run("settings", *arguments, "--data", tmp_path / "data", fails=True) == sentence


def test_a_fixed_setting_is_refused_with_the_name_of_what_fixes_it(make_server: MakeServer) -> None:
    with make_server() as server:
        done = run_process("settings", "set", "signup", "closed", "--data", str(server.data))
        assert told(done, 1).startswith("This setting is fixed by the variable HUBBUB_SIGNUP.")
        server.where += ["--set", "name=Flag"]
        server.stop()
        server.start()
        done = run_process("settings", "unset", "name", "--data", str(server.data))
        assert told(done, 1).startswith("This setting is fixed by the flag --set name=….")


def test_text_that_is_not_utf_8_is_wrong_use(make_server: MakeServer) -> None:
    server: Server = make_server()
    done = run_process("settings", "set", "name", "\udcff", "--data", str(server.data))
    assert told(done, 2) == "The argument is not valid UTF-8."
