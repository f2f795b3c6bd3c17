"""The tests of Hubbub; `tests.support` is what they share."""
