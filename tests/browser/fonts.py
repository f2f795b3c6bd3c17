"""The fonts that a browser finds on the machine, on which the layout must not depend.

The client brings its own for Latin text. All else comes from the system: code, other scripts, emoji; and Latin too
until the client's own is there.
"""

import os
from pathlib import Path

CHOICE = os.environ.get("HUBBUB_TEST_FONTS")
"""The fonts of the whole run, in place of the machine's own."""
FETCHED = Path(__file__).parents[2] / ".fonts"
CONFIGURATION = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
{folders}
<cachedir>{cache}</cachedir>
{families}
</fontconfig>
"""
FAMILIES = {
    "none": {},
    "few": {"sans-serif": "DejaVu Sans", "serif": "DejaVu Serif", "monospace": "DejaVu Sans Mono"},
    "many": {
        "sans-serif": "Noto Sans",
        "serif": "Noto Serif",
        "monospace": "Liberation Mono",
        "emoji": "Noto Color Emoji",
    },
}
"""What each kind of machine has for the generic families: no font at all, DejaVu alone, many with emoji and CJK."""
ALIAS = "<alias binding='same'><family>{name}</family><prefer><family>{font}</family></prefer></alias>"


def missing(name: str) -> str | None:
    """Why a browser cannot be given these fonts."""
    if name not in FAMILIES:
        return f"there are no fonts called {name!r}: HUBBUB_TEST_FONTS may be one of {', '.join(FAMILIES)}"
    if name != "none" and not (FETCHED / "done").exists():
        return "no fonts in .fonts: run scripts/fonts, which needs apt-get"
    return None


def environment(name: str, folder: Path) -> dict[str, str | float | bool]:
    """The environment of a browser that finds these fonts and no others (fontconfig(5)); `folder` is for its files."""
    folder.mkdir(parents=True, exist_ok=True)
    fonts = [] if name == "none" else [FETCHED / name]
    configuration = CONFIGURATION.format(
        folders="\n".join(f"<dir>{font}</dir>" for font in fonts),
        cache=folder / "cache",
        families="\n".join(ALIAS.format(name=family, font=font) for family, font in FAMILIES[name].items()),
    )
    path = folder / "fonts.conf"
    path.write_text(configuration)
    return {**os.environ, "FONTCONFIG_FILE": str(path)}
