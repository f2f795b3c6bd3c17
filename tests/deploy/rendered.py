"""The chart as Helm renders it, kept as JSON beside a digest of the chart.

`scripts/chart` runs `python -m tests.deploy.rendered VERSION DEFAULT FULL NODES` on Helm's output.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm"
FULL = Path(__file__).with_name("full.yaml")
NODES = Path(__file__).with_name("nodes.yaml")
RENDERED = Path(__file__).with_name("rendered.json")


def digest() -> str:
    """Return a hash of the chart and of the values it was rendered with."""
    hashed = hashlib.sha256()
    for path in [*sorted(path for path in CHART.rglob("*") if path.is_file()), FULL, NODES]:
        content = path.read_bytes()
        hashed.update(f"{path.relative_to(ROOT).as_posix()}\0{len(content)}\0".encode() + content)
    return hashed.hexdigest()


def documents(path: Path) -> list[Any]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def main(version: str, default: str, full: str, nodes: str) -> None:
    found = {
        "helm": version,
        "chart": digest(),
        "default": documents(Path(default)),
        "full": documents(Path(full)),
        "nodes": documents(Path(nodes)),
    }
    RENDERED.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
