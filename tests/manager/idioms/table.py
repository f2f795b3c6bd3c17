"""The table in docs/library.md: what runs, and where the tutorial's class differs.

`python -m tests.manager.idioms.table` rewrites it.
"""

import sys
from pathlib import Path

from tests.manager.idioms.calls import CALLS
from tests.manager.idioms.endpoints import ENDPOINTS
from tests.manager.idioms.servers import ROOT, SERVERS

PAGE = ROOT / "docs" / "library.md"
BEGIN, END = "<!-- idioms: python -m tests.manager.idioms.table -->\n", "<!-- end of idioms -->\n"
SILENT = ("hypercorn", "granian")
"""Servers that drop what is sent after the end of a connection, without an error."""
READING = {"receive_with_timeout", "both_in_a_group", "reads"}
"""Endpoints that learn of the end from `receive`."""
OTHERS = (
    "`Depends(manager.broadcast)`, `manager` from a dependency with `yield` that connects and disconnects",
    "`disconnect`, and `disconnect` with `close`, in a loop over a copy of the connections",
    "a client that connects while a loop over the connections awaits",
)
STOPS = "the server gets SIGTERM while all of these endpoints have open sockets: it stops"
SAME, BETTER = "✓", "✓ ¹"


def tutorial_ends(server: str, name: str) -> bool:
    """Return whether the endpoint ends with the tutorial's class on a disconnect."""
    return server not in SILENT or name in READING


def table() -> str:
    lines = [
        "| | " + " | ".join(SERVERS) + " |",
        "|---|" + "---|" * len(SERVERS),
        _heading("Calls: what arrives, in which order, and what the call returns or raises"),
        *(_row(row.title, lambda _: SAME) for row in CALLS.values()),
        *(_row(title, lambda _: SAME) for title in OTHERS),
        _heading("Endpoints: they end with `WebSocketDisconnect` when the client closes or its connection breaks"),
    ]
    for name, (title, _) in ENDPOINTS.items():
        lines.append(_row(title, lambda server, name=name: SAME if tutorial_ends(server, name) else BETTER))
    lines.append(_row(STOPS, lambda _: SAME))
    notes = (
        "✓ the same outcome with the tutorial's class and with Hubbub's, run by the tests.\n"
        "✓ ¹ ends with Hubbub's class only: this server drops what is sent after the end without an error, so that\n"
        "with the tutorial's class the endpoint runs until the server stops.\n"
    )
    return "\n".join(lines) + "\n\n" + notes


def _heading(text: str) -> str:
    return f"| **{text}** |" + " |" * len(SERVERS)


def _row(title: str, cell: "object") -> str:
    assert callable(cell)
    return f"| {title} | " + " | ".join(cell(server) for server in SERVERS) + " |"


def with_table(page: str) -> str:
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main(page: Path = PAGE) -> int:
    page.write_text(with_table(page.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
