"""Find where links begin and end in a text. Pure, and linear in the length of the text.

A link begins with `http://` or `https://`, except after an ASCII letter or digit or one of `_.+-`:
letters of other scripts cannot be part of a scheme. It ends before

* a blank, an invisible or control character, or one of `<>"|` and the backtick;
* a closing bracket that the link did not open;
* punctuation outside of ASCII: typographic quotes, CJK brackets and full stops. Marks that occur
  within words (`_JOINERS`) belong to the link if a letter or digit follows;
* the quotation mark that stands before the link;
* a letter of a script without blanks, after an ASCII top-level domain: no domain mixes them;
* the punctuation of the sentence (`_TAIL`).

The web client shows links by the same rules; `contract/fixtures/links.json` has the cases that both
must agree on.
"""

import re
import unicodedata
from collections.abc import Iterator

_JOINERS = "\u00b7\u05f3\u05f4\u0f0b\u2013\u2019\u2027\u30fb"
_ENDING = frozenset(("Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Ps", "Pe", "Pi", "Pf", "Po"))
"""General categories of Unicode."""
_LONG_DASHES = "\u2014\u2015"
_OPENED = {")": "(", "]": "[", "}": "{"}
_QUOTED = {"'": "'", "\u2018": "\u2019", "\u201a": "\u2019", "\u2019": "\u2019"}
"""By the quotation mark before a link: the one that ends it. All other quotation marks end links."""
_BEGIN = re.compile(r"(?<![A-Za-z0-9_.+-])https?(?=://[^/?#])", re.IGNORECASE | re.ASCII)
_SCHEME = re.compile(r"(?<![A-Za-z0-9_.+-])https?\Z", re.IGNORECASE | re.ASCII)
_SCHEME_LENGTH = len("https")
_PLAIN = re.compile(r"[A-Za-z0-9._~:/?#@!$&*+,;=%\\^-]+")
_TAIL = re.compile(r"[.,;:!?*_~'(\[{\u2010-\u2013]")
_HOST = re.compile(r"[^/?#]*")
_ENDED_DOMAIN = re.compile(
    r"(?:(?<=\.)[a-z0-9-]+|\Alocalhost)(?::[0-9]+)?"
    r"(?=[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003ffff])",
    re.IGNORECASE | re.ASCII,
)


def links(text: str) -> Iterator[str]:
    """Yield the links in `text`, in order, each as it is written."""
    at = 0
    while (scheme := _BEGIN.search(text, at)) is not None:
        host = scheme.end() + len("://")
        at = end_of_link(text, scheme.end(), len(text))
        if at > host:
            yield text[scheme.start() : at]


def end_of_link(text: str, colon: int, limit: int) -> int:
    """Return where the link ends that has its `://` at `colon`, of any scheme.

    The result is at most `limit`, and at least the end of `://`.
    """
    start = colon + len("://")
    scheme = _SCHEME.search(text, max(0, colon - _SCHEME_LENGTH - 1), colon)
    before = text[scheme.start() - 1] if scheme is not None and scheme.start() > 0 else ""
    end = _without_text_after_domain(text, start, _extent(text, start, limit, _QUOTED.get(before)))
    return _without_tail(text, start, end)


def _extent(text: str, at: int, limit: int, quote: str | None) -> int:
    """Return where the characters end that may belong to the link."""
    opened = dict.fromkeys(_OPENED.values(), 0)
    while at < limit:
        plain = _PLAIN.match(text, at, limit)
        if plain is not None:
            at = plain.end()
            continue
        character = text[at]
        if character in opened:
            opened[character] += 1
        elif character in _OPENED:
            if not opened[_OPENED[character]]:
                break
            opened[_OPENED[character]] -= 1
        elif character == quote or (character != "'" and _ends(character, text[at + 1 : min(at + 2, limit)])):
            break
        at += 1
    return at


def _ends(character: str, following: str) -> bool:
    if character.isascii() or character in _LONG_DASHES:
        return True
    if character in _JOINERS:
        return not following or unicodedata.category(following)[0] not in "LN"
    return unicodedata.category(character) in _ENDING


def _without_text_after_domain(text: str, start: int, end: int) -> int:
    host = _HOST.match(text, start, end)
    assert host is not None  # It may be empty.
    label = host[0].rfind(".") + 1
    domain = _ENDED_DOMAIN.match(host[0], label)
    return end if domain is None else start + domain.end()


def _without_tail(text: str, start: int, end: int) -> int:
    """Leave out the punctuation of the sentence. Paired apostrophes belong to the link."""
    apostrophes = text.count("'", start, end)
    while end > start and _TAIL.match(text, end - 1):
        if text[end - 1] == "'":
            if apostrophes % 2 == 0:
                break
            apostrophes -= 1
        end -= 1
    return end
