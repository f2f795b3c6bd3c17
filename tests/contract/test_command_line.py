"""Section 4.1, Command line.

Through the running server's socket, and on the folder alone.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.contract.door import ask, fresh, greet, refused, rest_of
from tests.support import forked
from tests.support.server import PASSWORD, Server


def hubbub(data: Path, *arguments: str, stdin: str = PASSWORD + "\n") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hubbub", *arguments, "--data", str(data)]
    return forked.run(command, env=os.environ, input=stdin)


async def test_commands_take_effect_at_once_through_a_running_server(house: Server) -> None:
    name = fresh("cli")
    made = hubbub(house.data, "user", "create", name, "--password-stdin")
    assert made.returncode == 0, made.stderr
    twice = hubbub(house.data, "user", "create", name, "--password-stdin")
    assert twice.returncode == 1
    assert len(twice.stderr.strip().splitlines()) == 1
    one = house.log_in(name)
    ws, _ = await greet(house, {"token": one.token})
    disabled = hubbub(house.data, "user", "disable", name)
    assert disabled.returncode == 0
    assert (await rest_of(ws))[1] in (4503, 4510)
    refused(one.request("GET", "/users/me"), "unauthenticated")
    refused(one.try_refresh(), "unauthenticated")
    assert one.try_log_in().status_code in (401, 403)
    assert "disabled" in next(line for line in hubbub(house.data, "user", "list").stdout.splitlines() if name in line)
    assert hubbub(house.data, "user", "enable", name).returncode == 0
    one = house.log_in(name)
    ws, _ = await greet(house, {"token": one.token})
    assert hubbub(house.data, "user", "passwd", name, "--password-stdin", stdin="another password\n").returncode == 0
    assert (await rest_of(ws))[1] == 4503
    assert one.try_log_in().status_code == 401
    assert one.try_log_in("another password").status_code == 200


def test_a_reset_link_sets_a_password_once(house: Server) -> None:
    one = house.sign_up("forgetful")
    printed = hubbub(house.data, "user", "reset-link", one.name).stdout
    found = re.search(rf"{re.escape(f':{house.port}')}/reset#(\S+)", printed)
    assert found, printed
    body = {"token": found[1], "password": "remembered again"}
    refused(ask(house, "POST", "/api/reset", json={**body, "password": "short"}), "bad_request")
    assert ask(house, "POST", "/api/reset", json=body).status_code == 204
    again = ask(house, "POST", "/api/reset", json=body)
    assert again.status_code in (401, 403), again.text
    assert one.try_log_in("remembered again").status_code == 200
    refused(one.request("GET", "/users/me"), "unauthenticated")


def test_an_invite_of_the_command_line_works_once(plain: Server) -> None:
    printed = hubbub(plain.data, "invite", "create").stdout
    found = re.search(rf"{re.escape(f':{plain.port}')}/invite#(\S+)", printed)
    assert found, printed
    body = {"password": PASSWORD, "invite": found[1]}
    assert ask(plain, "POST", "/api/accounts", json={**body, "username": fresh("guested")}).status_code == 201
    refused(ask(plain, "POST", "/api/accounts", json={**body, "username": fresh("guested")}), "forbidden")


def test_commands_work_on_the_folder_without_a_server_and_a_later_server_sees_the_result(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert hubbub(data, "migrate").returncode == 0
    made = hubbub(data, "user", "create", "boss", "--role", "owner", "--password-stdin")
    assert made.returncode == 0, made.stderr
    listed = hubbub(data, "user", "list").stdout
    assert "boss" in listed
    assert "owner" in listed
    bad = hubbub(data, "user", "create", "b#b", "--password-stdin")
    assert bad.returncode == 1
    assert "Traceback" not in bad.stderr
    assert not (data / "control.sock").exists()
    assert hubbub(data, "invite", "create").returncode == 0
    with Server(data) as server:
        assert server.log_in("boss").get("/users/me")["role"] == "owner"
        assert ask(server, "GET", "/api/setup").json()["needs_owner"] is False
        assert "/setup#" not in server.log_text()
        server.kill()
        assert hubbub(data, "user", "disable", "boss").returncode in (0, 1), "a leftover socket is no server"
        assert "boss" in hubbub(data, "user", "list").stdout
