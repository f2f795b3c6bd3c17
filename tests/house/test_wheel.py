"""What is handed to others: a wheel with the web client built, and requirement files that anybody can use."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_contains_the_built_web_client(wheel: zipfile.ZipFile) -> None:
    page = wheel.read("hubbub/web_dist/index.html").decode()
    scripts = re.findall(r'src="\./(assets/[^"]+\.js)"', page)
    assert scripts
    assert {f"hubbub/web_dist/{name}" for name in scripts} <= set(wheel.namelist())


def test_the_wheel_contains_the_migrations_the_types_and_the_licence(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    here = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src").rglob("*.py")}
    assert here <= names
    assert "hubbub/py.typed" in names
    assert any(name.endswith("LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "web/"))]


@pytest.mark.parametrize("name", ["runtime.txt", "dev.txt"])
def test_every_requirement_is_pinned_with_hashes_and_names_no_place(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text()
    pinned = re.split(r"\n(?=\S)", text.strip())
    assert len(pinned) > 20
    assert [entry for entry in pinned if "==" not in entry or "--hash=sha256:" not in entry] == []
    assert re.findall(r"https?:|index-url|find-links|file:", text) == []
