"""The version, the change log, the chart and the tag agree."""

import re
import subprocess
from pathlib import Path

import yaml

from hubbub.version import __version__

ROOT = Path(__file__).resolve().parents[2]
HEADING = re.compile(r"^## \[(?P<version>\d+\.\d+\.\d+)\] - (?P<date>\d{4}-\d{2}-\d{2})$")


def releases(text: str) -> list[tuple[str, str]]:
    """Return the versions and dates of a change log, the newest first. Fails if a heading is malformed."""
    first, *others = [line for line in text.splitlines() if line.startswith("## ")]
    assert first == "## [Unreleased]", first
    found = [HEADING.match(line) for line in others]
    assert all(found), others
    return [(each["version"], each["date"]) for each in found if each]


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def disagreements(version: str, changelog: str, tags: list[str]) -> list[str]:
    """Return what is wrong with a version. `tags` are those of its commit."""
    found = releases(changelog)
    wrong = [] if found[0][0] == version else [f"the newest section of the change log is {found[0][0]}"]
    wrong += [f"the tag {tag} is not of version {version}" for tag in tags if tag != f"v{version}"]
    return wrong


def test_the_version_is_that_of_the_change_log_and_of_the_tag() -> None:
    listed = subprocess.run(
        ["git", "tag", "--points-at", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    tags = [tag for tag in listed.stdout.split() if re.fullmatch(r"v\d.*", tag)]
    assert disagreements(__version__, (ROOT / "CHANGELOG.md").read_text(), tags) == []


def test_releases_are_in_order() -> None:
    found = releases((ROOT / "CHANGELOG.md").read_text())
    assert [version for version, _ in found] == sorted((version for version, _ in found), key=numbers, reverse=True)
    assert [date for _, date in found] == sorted((date for _, date in found), reverse=True)


def test_the_chart_has_the_version() -> None:
    chart = yaml.safe_load((ROOT / "deploy/helm/Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


def test_control_another_section_or_tag_is_noticed() -> None:
    text = "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2026-01-02\n"
    assert disagreements("1.2.0", text, ["v1.2.0"]) == []
    assert disagreements("1.3.0", text, ["v1.2.0"]) == [
        "the newest section of the change log is 1.2.0",
        "the tag v1.2.0 is not of version 1.3.0",
    ]
