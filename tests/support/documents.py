"""Write the Python blocks of a documentation page to files.

Each block names its file in its first line.
"""

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"^```python\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> dict[str, str]:
    """Return file names and contents.

    Fails for a block without a name and for duplicate names.
    """
    text = (DOCS / page).read_text()
    found = BLOCK.findall(text)
    assert len(found) == text.count("```python"), "every Python block begins with `# name.py`"
    named = {name: f"# {name}\n{code}" for name, code in found}
    assert len(named) == len(found), "two blocks have the same name"
    return named


def write(page: str, folder: Path) -> None:
    for name, code in blocks(page).items():
        (folder / name).write_text(code)
