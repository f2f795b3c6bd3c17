"""Writing generated files, and comparing them with those in the repository."""

import difflib
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def write(generated: Mapping[str, str], root: Path = ROOT) -> None:
    for name, text in generated.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def differences(generated: Mapping[str, str], root: Path = ROOT) -> str:
    """Return a unified diff from the files in the repository to `generated`; empty if they are the same."""
    found: list[str] = []
    for name, text in generated.items():
        path = root / name
        present = path.read_text(encoding="utf-8") if path.exists() else ""
        found += difflib.unified_diff(
            present.splitlines(), text.splitlines(), name, f"{name} as it should be", lineterm=""
        )
    return "\n".join(found)
