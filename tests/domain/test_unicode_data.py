"""The data of Unicode that comes with the server is that of the packages it was generated from."""

import emoji
from scripts import unicode_data as generator

from hubbub.domain import emojis, unicode_data


def test_the_data_is_what_the_generator_writes() -> None:
    assert generator.TARGET.read_text() == generator.generated(), "run `python -m scripts.unicode_data`"


def test_every_emoji_is_accepted_in_all_its_spellings() -> None:
    for text, found in emoji.EMOJI_DATA.items():
        if found["status"] == emoji.STATUS["fully_qualified"]:
            assert emojis.check_emoji(text) == text
            assert emojis.check_emoji(text.replace("\ufe0f", "")) == text


def test_no_character_looks_like_two_letters() -> None:
    characters = "".join(unicode_data.LOOK_ALIKES.values())
    assert len(characters) == len(set(characters))
