"""Where values come from that are given at start, and that no code reads them past the database."""

import re
from pathlib import Path

import pytest

from hubbub import Hubbub
from hubbub.domain.site_settings import NAMES, SiteSettings, check, decode, encode
from hubbub.settings import Settings, load

SOURCES = Path(__file__).resolve().parents[2] / "src/hubbub"
READ_AT_START = re.compile(rf"\bsettings\.({'|'.join(NAMES)})\b")


def where(settings: Settings) -> dict[str, str]:
    return {name: f"{each.source}: {each.where}" for name, each in settings.fixed.items()}


def test_each_fixed_value_names_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert where(load({})[0]) == {}
    Path("hubbub.toml").write_text("guests = true\nname = 'File'\nretention_days = 3")
    monkeypatch.setenv("HUBBUB_NAME", "Variable")
    monkeypatch.setenv("HUBBUB_SESSION_MAX_DAYS", "9")
    settings, _ = load({"retention_days": 4, "port": 3}, pairs=["retention_days"])
    assert where(settings) == {
        "name": "environment: the variable HUBBUB_NAME",
        "guests": "file: the key guests in hubbub.toml",
        "retention_days": "flag: the flag --set retention_days=…",
        "session_max_days": "environment: the variable HUBBUB_SESSION_MAX_DAYS",
    }
    assert (settings.name, settings.retention_days, settings.guests) == ("Variable", 4, True)


def test_arguments_of_a_host_application_fix_settings_and_nothing_else_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBBUB_NAME", "Variable")
    monkeypatch.setenv("HUBBUB_SIGNUP", "open")
    given = Hubbub(Settings(data=tmp_path, guests=True), name="Argument", data=tmp_path).settings
    assert {name: each.source for name, each in given.fixed.items()} == {
        "name": "argument", "signup": "environment", "guests": "argument",
    }  # fmt: skip
    assert (given.name, given.signup, given.guests) == ("Argument", "open", True)


def test_an_empty_variable_fixes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_NAME", "")
    assert Settings().fixed == {}


@pytest.mark.parametrize("name", NAMES)
def test_a_stored_default_is_read_as_it_was_written(name: str) -> None:
    default = SiteSettings.model_fields[name].default
    assert decode(name, encode(default)) == check(name, default) == default
    assert type(decode(name, encode(default))) is type(default)


def reads_of_start(folder: Path) -> dict[str, list[str]]:
    """Return what reads the value of a site's setting from the settings at start, by file."""
    found = {path.name: READ_AT_START.findall(path.read_text()) for path in sorted(folder.rglob("*.py"))}
    return {name: reads for name, reads in found.items() if reads and name != "settings.py"}


def test_no_code_reads_a_setting_of_the_site_from_the_settings_of_the_process() -> None:
    assert reads_of_start(SOURCES) == {}


def test_control_such_a_read_is_detected(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("signup=services.settings.signup")
    assert reads_of_start(tmp_path) == {"a.py": ["signup"]}
