"""System fonts for browser tests; the layout must not depend on them.

The client brings its own font for Latin text. Everything else comes from the system: code, other
scripts, emoji; and Latin too until the client's own font has loaded.
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
"""The generic families of each kind of machine.

The kinds are no font, DejaVu alone, and many fonts with emoji and CJK.
"""
ALIAS = "<alias binding='same'><family>{name}</family><prefer><family>{font}</family></prefer></alias>"


def missing(name: str) -> str | None:
    """Return why a browser cannot use these fonts; None if it can."""
    if name not in FAMILIES:
        return f"unknown fonts {name!r}: HUBBUB_TEST_FONTS must be one of {', '.join(FAMILIES)}"
    if name != "none" and not (FETCHED / "done").exists():
        return "no fonts in .fonts: run scripts/fonts, which needs apt-get"
    return None


def environment(name: str, folder: Path) -> dict[str, str | float | bool]:
    """Return the environment of a browser that finds only these fonts (fontconfig(5)).

    `folder` holds the configuration and the cache.
    """
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
