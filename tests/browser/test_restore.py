"""The server restores an earlier backup.

Open windows show the restored state by themselves.
"""

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
