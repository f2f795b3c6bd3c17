"""List source files and Svelte components that are longer than advised: `python -m scripts.sizes`.

The sizes are advice. A long file may be about two subjects; it is never a reason to fail.
"""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = {".py": 400, ".ts": 400, ".svelte": 250}
"""Advised number of lines by file type."""
FOLDERS = ("src", "tests", "bench", "examples", "scripts", "web/src", "web/tests")
GENERATED = {"web/src/contract.ts", "web/src/limits.ts", "web/src/permissions.ts"}


def long_files() -> Iterator[tuple[str, int, int]]:
    """Yield (path, lines, advised lines) for each file over its advised size."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            advised = MAX_LINES.get(path.suffix)
            name = path.relative_to(ROOT).as_posix()
            if advised is None or name in GENERATED:
                continue
            lines = len(path.read_text().splitlines())
            if lines > advised:
                yield name, lines, advised


if __name__ == "__main__":
    for name, lines, advised in long_files():
        print(f"warning: {name} has {lines} lines (advised: {advised}); is it still about one subject?")
