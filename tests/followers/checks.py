"""What the contract says about the effects of a follower. Each check raises AssertionError."""

from collections.abc import Sequence

Effect = tuple[str, int]


def complete(effects: Sequence[Effect], sent: Sequence[Effect]) -> bool:
    return set(effects) >= set(sent)


def check(effects: Sequence[Effect], sent: Sequence[Effect], *, exactly_once: bool) -> None:
    """Fail unless each message had its effect, those of a topic in order.

    With `exactly_once`, none twice. Otherwise an effect may come again, but none is left out: the
    first effects of a topic are in order.
    """
    lost = [each for each in sent if each not in set(effects)]
    assert not lost, f"lost: {lost[:10]}"
    made_up = [each for each in effects if each not in set(sent)]
    assert not made_up, f"never sent: {made_up[:10]}"
    first = list(dict.fromkeys(effects))
    if exactly_once:
        assert len(first) == len(effects), f"twice: {[each for each in first if effects.count(each) > 1][:10]}"
    for topic in {topic for topic, _ in effects}:
        seqs = [seq for found, seq in first if found == topic]
        assert seqs == sorted(seqs), f"out of order in {topic}: {seqs}"
