"""The database goes back in time: a restored backup, an older file.

Open windows show the server's state by themselves.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import OpenWindow
from tests.conftest import MakeServer


def test_after_a_restore_open_windows_show_the_servers_state(
    make_server: MakeServer, open_window: OpenWindow, tmp_path: Path
) -> None:
    server = make_server().start()
    names = [server.sign_up("ann").name, server.sign_up("bob").name]
    ann, bob = (open_window(server).log_in(name) for name in names)
    for person in (ann, bob):
        person.may_be_offline = True
    ann.say("before the backup")
    bob.sees("before the backup")
    server.command_line("backup", str(tmp_path / "chat.zip"))
    for number in range(3):
        bob.say(f"after the backup {number}")
        ann.sees(f"after the backup {number}")
    server.kill()
    for person in (ann, bob):
        expect(person.page.get_by_role("status").filter(has_text="Reconnecting")).to_be_visible()
    ann.say("written in the dark")
    server.command_line("restore", str(tmp_path / "chat.zip"), "--replace")
    server.start()
    for person in (ann, bob):
        person.sees("written in the dark")
        person.sees("after the backup 2", times=0)
        assert person.texts()[-2:] == ["before the backup", "written in the dark"]
    bob.say("and on it goes")
    for person in (ann, bob):
        person.sees("and on it goes")
        assert person.texts()[-3:] == ["before the backup", "written in the dark", "and on it goes"]
        expect(person.pending()).to_have_count(0)


def test_after_an_older_file_is_put_in_place_of_the_database_open_windows_show_the_servers_state(
    make_server: MakeServer, open_window: OpenWindow, tmp_path: Path
) -> None:
    """The server goes on running. What it had acknowledged since the copy leaves no ghost."""
    server = make_server().start()
    names = [server.sign_up("ann").name, server.sign_up("bob").name]
    ann, bob = (open_window(server).log_in(name) for name in names)
    for person in (ann, bob):
        person.may_be_offline = True
    ann.say("before the copy")
    bob.sees("before the copy")
    with closing(sqlite3.connect(server.database)) as source, closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        source.backup(copy)
    for number in range(3):
        bob.say(f"after the copy {number}")
        ann.sees(f"after the copy {number}")
    (tmp_path / "copy.db").rename(server.database)
    ann.say("written meanwhile")
    for person in (ann, bob):
        person.sees("written meanwhile")
        person.sees("after the copy 2", times=0)
        assert person.texts()[-2:] == ["before the copy", "written meanwhile"]
        person.page.reload()  # the picture that the browser keeps is the server's, too
        person.sees("written meanwhile")
        assert person.texts()[-2:] == ["before the copy", "written meanwhile"]
        expect(person.pending()).to_have_count(0)
