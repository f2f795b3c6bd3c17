"""`login_url`, `token_url` and `frame_ancestors`: what is accepted, and what the pages say."""

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hubbub import Hubbub
from hubbub.settings import WrongSetting
from tests.mounted.host_app import ORIGIN, HostApp

BROWSER = {"Accept": "text/html"}
META = re.compile(r'<meta name="hubbub-host" content="([^"]*)" />')


async def page(app: HostApp, path: str) -> tuple[dict[str, Any] | None, str]:
    """Return what the page says of the host application, and who may show it in a frame."""
    async with app.hubbub.lifespan():
        answer = await app.ask("GET", path, headers=BROWSER)
    assert answer.status_code == 200
    found = META.search(answer.text)
    said = json.loads(html.unescape(found[1])) if found else None
    (ancestors,) = re.findall(r"frame-ancestors ([^;]*)", answer.headers["content-security-policy"])
    return said, ancestors


async def test_pages_say_nothing_and_may_not_be_framed_by_default(tmp_path: Path) -> None:
    assert await page(HostApp(tmp_path / "chat"), "/") == (None, "'none'")


async def test_the_page_of_one_room_may_be_framed_by_its_own_origin(tmp_path: Path) -> None:
    assert await page(HostApp(tmp_path / "chat"), "/embed") == ({"embedded": True, "ancestors": []}, "'self'")


@pytest.mark.parametrize(
    ("path", "own", "said"),
    [("/", "", {}), ("/embed", "'self' ", {"embedded": True, "ancestors": ["https://a.example.org", "http://b:8080"]})],
)
async def test_listed_origins_may_show_pages_in_a_frame(
    tmp_path: Path, path: str, own: str, said: dict[str, Any]
) -> None:
    app = HostApp(tmp_path / "chat", frame_ancestors=["https://A.example.org:443", "http://b:8080"])
    assert await page(app, path) == (said or None, f"{own}https://a.example.org http://b:8080")


async def test_the_page_names_the_log_in_page_and_the_token_endpoint(tmp_path: Path) -> None:
    app = HostApp(tmp_path / "chat", login_url='/log-in?a="b"&c=d'.replace('"', "%22"), token_url="/token")
    said, _ = await page(app, "/")
    assert said == {"login_url": "/log-in?a=%22b%22&c=d", "token_url": "/token"}


@pytest.mark.parametrize(
    "value",
    ["*", "https://*", "https://*.example.org", "https:", "app.example.org", "https://a.example.org/path", "'none'",
     "https://a;script-src *", "https://a'self'", "https://user@a.example.org", "data:", "https://a.example.org?x"],
)  # fmt: skip
def test_frame_ancestors_are_origins_without_wildcards(tmp_path: Path, value: str) -> None:
    with pytest.raises(ValidationError, match="frame_ancestors"):
        Hubbub(frame_ancestors=[value], data=tmp_path / "chat")


def test_a_wildcard_in_origins_is_refused_too(tmp_path: Path) -> None:
    """It matched no page."""
    with pytest.raises(ValidationError, match="without wildcards"):
        HostApp(tmp_path / "chat", origins=["https://*.example.org"])


def test_frame_ancestors_may_name_the_own_origin(tmp_path: Path) -> None:
    for value in (["self"], ["'self'"], "self"):
        assert Hubbub(frame_ancestors=value, data=tmp_path / "chat").settings.frame_ancestors == ("'self'",)


@pytest.mark.parametrize(
    "url",
    ["", "login", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "/login#here", "https://", "ftp://a/",
     "https://user:secret@a.example.org/", "/a b", "/\n", "https://a:99999/", "/" + "a" * 2_000, 7],
)  # fmt: skip
def test_an_invalid_login_url_is_refused(tmp_path: Path, url: Any) -> None:
    with pytest.raises(WrongSetting, match="login_url"):
        HostApp(tmp_path / "chat", login_url=url)


@pytest.mark.parametrize(
    "url", ["/login", "/login?from=chat", "https://id.example.org/login", "http://localhost:9000/"]
)
def test_a_login_url_is_a_path_or_an_address(tmp_path: Path, url: str) -> None:
    assert HostApp(tmp_path / "chat", login_url=url)


@pytest.mark.parametrize(
    "url", ["", "token", "https://app.example.org/token", "//evil.example/t", "/t#x", "/\\x", None]
)
def test_a_token_url_is_a_path(tmp_path: Path, url: str | None) -> None:
    if url is None:
        assert HostApp(tmp_path / "chat", token_url="/api/token?for=chat")
        return
    with pytest.raises(WrongSetting, match="token_url"):
        HostApp(tmp_path / "chat", token_url=url)


@pytest.mark.parametrize("name", ["login_url", "token_url"])
def test_without_host_users_there_is_no_log_in_page(tmp_path: Path, name: str) -> None:
    with pytest.raises(WrongSetting, match="authenticate"):
        Hubbub(data=tmp_path / "chat", **{name: "/x"})  # type: ignore[arg-type]


async def test_the_script_of_the_element_is_small_and_may_be_loaded_by_pages_of_other_origins(host: HostApp) -> None:
    answer = await host.ask("GET", "/embed.js", headers={"Origin": "https://app.example.org"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert len(answer.content) < 5_000
    assert b"import" not in answer.content.replace(b"import.meta.url", b""), "it needs no other file"
    again = await host.ask("GET", "/embed.js", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert ORIGIN not in answer.text
