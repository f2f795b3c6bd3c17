"""Section 4.1, Command line.

Through the running server's socket, and on the folder alone.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.contract.client import expect_error, fresh, greet, receive_rest, request
from tests.support import forked
from tests.support.server import PASSWORD, Server


def hubbub(data: Path, *arguments: str, stdin: str = PASSWORD + "\n") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hubbub", *arguments, "--data", str(data)]
    return forked.run(command, env=os.environ, input=stdin)


async def test_commands_take_effect_at_once_through_a_running_server(open_server: Server) -> None:
    name = fresh("cli")
    made = hubbub(open_server.data, "user", "create", name, "--password-stdin")
    assert made.returncode == 0, made.stderr
    twice = hubbub(open_server.data, "user", "create", name, "--password-stdin")
    assert twice.returncode == 1
    assert len(twice.stderr.strip().splitlines()) == 1
    one = open_server.log_in(name)
    ws, _ = await greet(open_server, {"token": one.token})
    disabled = hubbub(open_server.data, "user", "disable", name)
    assert disabled.returncode == 0
    assert (await receive_rest(ws))[1] in (4503, 4510)
    expect_error(one.request("GET", "/users/me"), "unauthenticated")
    expect_error(one.try_refresh(), "unauthenticated")
    assert one.try_log_in().status_code in (401, 403)
    assert "disabled" in next(
        line for line in hubbub(open_server.data, "user", "list").stdout.splitlines() if name in line
    )
    assert hubbub(open_server.data, "user", "enable", name).returncode == 0
    one = open_server.log_in(name)
    ws, _ = await greet(open_server, {"token": one.token})
    assert (
        hubbub(open_server.data, "user", "passwd", name, "--password-stdin", stdin="another password\n").returncode == 0
    )
    assert (await receive_rest(ws))[1] == 4503
    assert one.try_log_in().status_code == 401
    assert one.try_log_in("another password").status_code == 200


def test_a_reset_link_sets_a_password_once(open_server: Server) -> None:
    one = open_server.sign_up("forgetful")
    printed = hubbub(open_server.data, "user", "reset-link", one.name).stdout
    found = re.search(rf"{re.escape(f':{open_server.port}')}/reset#(\S+)", printed)
    assert found, printed
    body = {"token": found[1], "password": "remembered again"}
    expect_error(request(open_server, "POST", "/api/reset", json={**body, "password": "short"}), "bad_request")
    assert request(open_server, "POST", "/api/reset", json=body).status_code == 204
    again = request(open_server, "POST", "/api/reset", json=body)
    assert again.status_code in (401, 403), again.text
    assert one.try_log_in("remembered again").status_code == 200
    expect_error(one.request("GET", "/users/me"), "unauthenticated")


def test_an_invite_of_the_command_line_works_once(plain: Server) -> None:
    printed = hubbub(plain.data, "invite", "create").stdout
    found = re.search(rf"{re.escape(f':{plain.port}')}/invite#(\S+)", printed)
    assert found, printed
    body = {"password": PASSWORD, "invite": found[1]}
    assert request(plain, "POST", "/api/users", json={**body, "username": fresh("guested")}).status_code == 201
    expect_error(request(plain, "POST", "/api/users", json={**body, "username": fresh("guested")}), "forbidden")


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
        assert request(server, "GET", "/api/site").json()["needs_owner"] is False
        assert "/setup#" not in server.log_text()
        server.kill()
        assert hubbub(data, "user", "disable", "boss").returncode in (0, 1), "a leftover socket is no server"
        assert "boss" in hubbub(data, "user", "list").stdout
