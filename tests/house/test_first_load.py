"""What a browser loads before anything is seen stays small; all the rest is named in the page, and so kept offline."""

import gzip
import re

from hubbub.gateways.http.web import FOLDER

ENTRANCE, CHAT = 58_000, 110_000
"""Bytes, compressed as the server does: until one can log in, and until the chat is there."""
IMPORTED = re.compile(r'(?:from|import)\s*"\./([^"]+\.js)"')


def linked() -> set[str]:
    """What the page itself asks for: scripts and styles."""
    page = (FOLDER / "index.html").read_text()
    return set(re.findall(r'(?:src|href)="\./assets/([^"]+\.(?:js|css))"', page))


def needed(name: str) -> set[str]:
    """A script and all that it cannot run without."""
    found, open_ends = set[str](), {name}
    while open_ends:
        one = open_ends.pop()
        found.add(one)
        open_ends |= set(IMPORTED.findall((FOLDER / "assets" / one).read_text())) - found
    return found


def weight(names: set[str]) -> int:
    return sum(len(gzip.compress((FOLDER / "assets" / name).read_bytes())) for name in names)


def chunk(name: str) -> str:
    (found,) = (path.name for path in (FOLDER / "assets").glob(f"{name}-*.js"))
    return found


def test_what_is_loaded_first_is_small() -> None:
    entrance = linked() | needed(chunk("Entrance"))
    chat = linked() | needed(chunk("ChatScreen"))
    assert weight(entrance) < ENTRANCE
    assert weight(chat) < CHAT
    # Half as much besides would be found out.
    assert weight(chat | {chunk("_virtual_emoji"), chunk("highlight")}) > CHAT
    for later in ("ChatDialogs", "RoomDialogs", "ActionDialogs", "EmojiPicker", "_virtual_emoji", "highlight"):
        assert chunk(later) not in chat


def test_the_page_names_every_asset_so_that_all_of_them_are_kept() -> None:
    named = set(re.findall(r"\./assets/([^\"\s]+)", (FOLDER / "index.html").read_text()))
    assert named == {path.name for path in (FOLDER / "assets").iterdir()}
