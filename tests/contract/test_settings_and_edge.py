"""Section 4.1, Settings, and the edge.

Failed starts, metrics, docs, the front page, forwarded addresses.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from tests.contract.client import expect_error, raw_upgrade, request
from tests.support import forked
from tests.support.server import PASSWORD, Account, Server

HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def start(data: Path, *flags: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a start that must fail."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HUBBUB_")}
    command = [sys.executable, "-m", "hubbub", "serve", "--port", "0", "--data", str(data), *flags]
    return forked.run(command, env={**clean, **settings}, cwd=data.parent)


@pytest.mark.parametrize(
    ("name", "value"),
    [("HUBBUB_SIGNUP", "maybe"), ("HUBBUB_HELLO_TIMEOUT", "soon"), ("HUBBUB_CONNECTIONS_PER_USER", "0"),
    ("HUBBUB_PUBLIC_URL", "chat.example.org"),
     ("HUBBUB_TRUSTED_PROXIES", "everybody"), ("HUBBUB_RATE_LIMITS", "sometimes"),
     ("HUBBUB_DATABASE_URL", "mysql://x:secret@y")],
)  # fmt: skip
def test_a_wrong_setting_stops_the_start_with_a_sentence_that_names_it(tmp_path: Path, name: str, value: str) -> None:
    done = start(tmp_path / "data", **{name: value})
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert name in said
    assert "Traceback" not in said
    assert "secret" not in said
    assert len(said.strip().splitlines()) <= 3
    assert not (tmp_path / "data").exists()


def test_flags_and_the_settings_file_are_validated_like_the_environment(tmp_path: Path) -> None:
    (tmp_path / "hubbub.toml").write_text('signup = "maybe"\n')
    done = start(tmp_path / "data")
    assert done.returncode != 0
    assert "signup" in done.stderr
    assert "hubbub.toml" in done.stderr
    (tmp_path / "hubbub.toml").write_text("no_such_key = 1\n")
    done = start(tmp_path / "data")
    assert done.returncode != 0
    assert "no_such_key" in done.stderr
    (tmp_path / "hubbub.toml").unlink()
    done = start(tmp_path / "data", "--set", "signup=maybe")
    assert done.returncode != 0
    assert "signup" in done.stderr


def test_the_data_folder_is_private_to_its_user(open_server: Server) -> None:
    assert (open_server.data / "control.sock").stat().st_mode & 0o777 == 0o600
    assert open_server.data.stat().st_mode & 0o077 == 0 or all(
        path.stat().st_mode & 0o077 == 0 for path in open_server.data.iterdir()
    )


# -- the front page, docs, health


@pytest.mark.parametrize("accept", [HTML, "text/html", "TEXT/HTML", "application/json, text/html"])
def test_the_front_page_is_html_if_accept_names_it(open_server: Server, accept: str) -> None:
    answer = request(open_server, "GET", "/", headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["vary"] == "Accept"
    assert "content-security-policy" in answer.headers


@pytest.mark.parametrize(
    "accept",
    [None, "*/*", "application/json", "text/*", "text/plain", "", "application/xhtml+xml", "nonsense", "text/htmlx"],
)
def test_the_front_page_is_json_by_default(open_server: Server, accept: str | None) -> None:
    with httpx.Client(trust_env=False) as client:
        del client.headers["accept"]
        answer = client.get(open_server.url, headers={} if accept is None else {"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["vary"] == "Accept"
    assert isinstance(answer.json()["message"], str)


def test_the_api_docs_are_public_and_load_only_packaged_files(open_server: Server) -> None:
    page = request(open_server, "GET", "/docs", headers={"Accept": HTML})
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    linked = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert linked
    for link in linked:
        if link.startswith("data:"):
            continue
        assert not link.startswith(("http:", "https:", "//")), link
        assert request(open_server, "GET", urljoin("/docs", link)).status_code == 200, link
    assert request(open_server, "GET", "/openapi.json").json()["openapi"].startswith("3.")


def test_health_routes_answer_ok(open_server: Server) -> None:
    for path in ("/health", "/health/ready"):
        answer = request(open_server, "GET", path)
        assert answer.status_code == 200
        assert answer.json()["status"] == "ok"
    assert request(open_server, "GET", "/health").json() == {"status": "ok"}


# -- metrics and proxies


def test_metrics_are_only_for_loopback_without_forwarding_headers(open_server: Server, alice: Account) -> None:
    assert request(open_server, "GET", "/metrics").status_code == 200
    for name, value in (("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-For", "127.0.0.1"), ("Forwarded", "for=1.2.3.4"),
                        ("X-Forwarded-For", ""), ("X-Real-IP", "1.2.3.4"), ("X-Forwarded-Host", "x"),
                        ("X-Forwarded-Proto", "https"), ("Via", "1.1 x")):  # fmt: skip
        answer = request(open_server, "GET", "/metrics", headers={name: value})
        assert answer.status_code in (401, 403), (name, value)
        expect_error(answer, "unauthenticated" if answer.status_code == 401 else "forbidden")
    answer = request(open_server, "GET", "/metrics", headers={**alice.headers, "X-Forwarded-For": "1.2.3.4"})
    assert answer.status_code in (401, 403), "a member's token does not open the metrics"


def test_only_a_trusted_proxy_can_set_the_client_address(plain: Server, strict: Server, newcomer: Account) -> None:
    """The limit is twenty wrong log-ins a minute per address.

    A client's own header does not change its address.
    """
    answers = [
        request(plain, "POST", "/token", data={"username": f"nobody{number}", "password": PASSWORD},
        headers={"X-Forwarded-For": f"10.0.0.{number}"})
        for number in range(25)
    ]  # fmt: skip
    assert [answer.status_code for answer in answers].count(429) >= 3
    late = next(answer for answer in answers if answer.status_code == 429)
    error = expect_error(late, "rate_limited")
    assert error["retry_after"] > 0
    assert int(late.headers["retry-after"]) >= error["retry_after"] - 1
    assert request(strict, "GET", "/health", headers={"X-Forwarded-For": "nonsense, 1.2.3.4"}).status_code == 200


def test_rate_limited_answers_say_when_to_retry(plain: Server, newcomer: Account) -> None:
    wrong = {"username": newcomer.name, "password": "wrong wrong"}
    answers = [request(plain, "POST", "/token", data=wrong) for _ in range(8)]
    assert 429 in [answer.status_code for answer in answers]
    expect_error(answers[-1], "rate_limited")


# -- headers


def test_answers_with_user_data_are_not_stored_and_not_sniffed(alice: Account) -> None:
    for path in ("/users/me", "/api/rooms", "/api/sessions", "/api/rooms/1", "/nothing"):
        answer = alice.request("GET", path)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/ws/zed/more", "/wss", "/nothing"])
def test_a_websocket_on_an_unknown_path_gets_a_normal_404(open_server: Server, path: str) -> None:
    status, _, body = raw_upgrade(open_server, path)
    assert status == 404
    assert json.loads(body)["error"]["code"] == "not_found"


@pytest.mark.parametrize("path", ["/ws", "/ws/zed"])
def test_a_long_head_under_the_limit_is_accepted(open_server: Server, path: str) -> None:
    status, _, _ = raw_upgrade(open_server, path, X_Long="x" * 9_000)
    assert status == 101


@pytest.mark.parametrize("path", ["/ws", "/ws/zed"])
@pytest.mark.parametrize("value", ["Basic YTpi", "Bearer"])
def test_a_rejected_handshake_has_an_error_code_and_its_status(open_server: Server, path: str, value: str) -> None:
    status, _, body = raw_upgrade(open_server, path, Authorization=value)
    assert (status, json.loads(body)["error"]["code"]) == (401, "unauthenticated")
    status, _, body = raw_upgrade(open_server, path, Authorization="Bearer a", authorization="Bearer b")
    assert (status, json.loads(body)["error"]["code"]) in ((400, "bad_request"), (401, "unauthenticated"))


@pytest.mark.parametrize("path", ["/ws", "/ws/zed"])
def test_a_malformed_handshake_gets_an_error_of_the_usual_form(open_server: Server, path: str) -> None:
    status, _, body = raw_upgrade(open_server, path, Sec_WebSocket_Key="short")
    assert (status, json.loads(body)["error"]["code"]) == (400, "bad_request")
