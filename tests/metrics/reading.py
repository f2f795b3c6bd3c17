"""Read `/metrics` in tests: the samples of one moment, and their growth."""

from hubbub.metrics import Metrics

Samples = dict[str, float]


def samples(metrics: Metrics) -> Samples:
    """Return sample → value, with labels as they are printed."""
    lines = [line for line in metrics.render().decode().splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def growth(before: Samples, after: Samples) -> Samples:
    """Return which samples changed, and by how much."""
    moved = {name: value - before.get(name, 0.0) for name, value in after.items()}
    return {name: value for name, value in moved.items() if value}
