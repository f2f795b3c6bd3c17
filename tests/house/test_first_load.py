"""The first load of the web client stays small.

The page names all other assets, to cache them.
"""

import gzip
import re

from hubbub.gateways.http.web import FOLDER

ENTRANCE, CHAT = 58_000, 114_000
"""Bytes, compressed as the server does: up to the log-in, and up to the chat."""
IMPORTED = re.compile(r'(?:from|import)\s*"\./([^"]+\.js)"')


def linked() -> set[str]:
    """Return the scripts and styles that the page itself loads."""
    page = (FOLDER / "index.html").read_text()
    return set(re.findall(r'(?:src|href)="\./assets/([^"]+\.(?:js|css))"', page))


def needed(name: str) -> set[str]:
    """Return a script and all scripts it imports, directly or indirectly."""
    found, open_ends = set[str](), {name}
    while open_ends:
        asset = open_ends.pop()
        found.add(asset)
        open_ends |= set(IMPORTED.findall((FOLDER / "assets" / asset).read_text())) - found
    return found


def weight(names: set[str]) -> int:
    return sum(len(gzip.compress((FOLDER / "assets" / name).read_bytes())) for name in names)


def chunk(name: str) -> str:
    (found,) = (path.name for path in (FOLDER / "assets").glob(f"{name}-*.js"))
    return found


def test_the_first_load_is_small() -> None:
    entrance = linked() | needed(chunk("Entrance"))
    chat = linked() | needed(chunk("ChatScreen"))
    assert weight(entrance) < ENTRANCE
    assert weight(chat) < CHAT
    # Control: half as much on top exceeds the limit.
    assert weight(chat | {chunk("_virtual_emoji"), chunk("highlight")}) > CHAT
    for later in (
        "ChatDialogs",
        "SearchPanel",
        "RoomDialogs",
        "ActionDialogs",
        "EmojiPicker",
        "_virtual_emoji",
        "highlight",
    ):
        assert chunk(later) not in chat


def test_the_page_names_every_asset_so_that_all_are_cached() -> None:
    named = set(re.findall(r"\./assets/([^\"\s]+)", (FOLDER / "index.html").read_text()))
    assert named == {path.name for path in (FOLDER / "assets").iterdir()}
