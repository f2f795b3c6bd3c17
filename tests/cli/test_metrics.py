"""Metrics count what happens, and clients cannot create unlimited counters."""

import asyncio

import pytest
from structlog.testing import capture_logs

from hubbub.clock import Clock
from hubbub.metrics import CLOSE_REASONS, STALL, Metrics, merge, watch_loop
from hubbub.protocol import close_codes
from tests.support.waiting import eventually


def value(metrics: Metrics, sample: str) -> float:
    for line in metrics.render().decode().splitlines():
        if line.startswith(sample + " "):
            return float(line.rpartition(" ")[2])
    raise AssertionError(f"no sample {sample}")


def test_a_disconnected_slow_reader_is_counted_by_code_and_reason() -> None:
    metrics = Metrics()
    slow = 'hubbub_disconnects_total{code="4008",reason="slow"}'
    assert value(metrics, slow) == 0
    metrics.disconnected(4008)
    assert value(metrics, slow) == 1


def test_close_codes_invented_by_clients_share_one_counter() -> None:
    metrics = Metrics()
    before = len(metrics.render().splitlines())
    for code in range(3_000, 3_500):
        metrics.disconnected(code)
    metrics.disconnected(None)
    assert value(metrics, 'hubbub_disconnects_total{code="other",reason="other"}') == 500
    assert value(metrics, 'hubbub_disconnects_total{code="1006",reason="lost"}') == 1
    assert len(metrics.render().splitlines()) <= before + 4


def test_a_gauge_is_read_when_the_metrics_are_rendered() -> None:
    metrics = Metrics()
    now = [1.0]
    metrics.gauge("depth", "How deep.", lambda: now[0])
    metrics.counter("things", "How many.", lambda: now[0])
    assert value(metrics, "hubbub_depth") == 1
    now[0] = 2.0
    assert value(metrics, "hubbub_depth") == 2
    assert value(metrics, "hubbub_things_total") == 2


def test_two_servers_in_one_process_do_not_share_counters() -> None:
    first, second = Metrics(), Metrics()
    first.messages.inc()
    assert value(first, "hubbub_messages_total") == 1
    assert value(second, "hubbub_messages_total") == 0


def test_the_pages_of_workers_become_one_with_each_family_together() -> None:
    first = b'# HELP a One.\n# TYPE a counter\na{b="{x} "} 1.0\na{b="y"} 2.0\n# HELP c Two.\n# TYPE c gauge\nc 3.0\n'
    second = b"# HELP c Two.\n# TYPE c gauge\nc 4.0\n# HELP d Three.\n# TYPE d gauge\nd 5.0\n"
    assert merge({0: first, 2: second}).decode().splitlines() == [
        "# HELP a One.", "# TYPE a counter", 'a{b="{x} ",worker="0"} 1.0', 'a{b="y",worker="0"} 2.0',
        "# HELP c Two.", "# TYPE c gauge", 'c{worker="0"} 3.0', 'c{worker="2"} 4.0',
        "# HELP d Three.", "# TYPE d gauge", 'd{worker="2"} 5.0',
    ]  # fmt: skip


def test_every_sample_of_a_real_page_gets_the_label_once() -> None:
    page = Metrics().render()
    merged = merge({0: page, 1: page}).decode().splitlines()
    assert len(merged) == 2 * page.count(b"\n") - sum(line.startswith("#") for line in merged)
    assert all(line.count("worker=") == 1 for line in merged if not line.startswith("#"))


class Leaping(Clock):
    """A clock that advances half a second at every reading."""

    def __init__(self) -> None:
        self.looks = 0

    def monotonic(self) -> float:
        self.looks += 1
        return self.looks * 0.5


@pytest.mark.parametrize(("bound", "logged"), [(0.25, {"loop_stalled"}), (1.0, set())])
async def test_a_stalled_event_loop_is_counted_and_a_long_stall_is_logged(
    bound: float, logged: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.metrics.LONG_STALL", bound)
    metrics = Metrics()
    clock = Leaping()
    with capture_logs() as lines:
        watch = asyncio.create_task(watch_loop(metrics, clock, interval=0))
        await eventually(lambda: value(metrics, "hubbub_loop_stalls_total") >= 2, 20, "two stalls are counted")
        watch.cancel()
    assert STALL < 0.5
    assert {line["event"] for line in lines} == logged
    assert value(metrics, "hubbub_loop_lag_seconds_count") >= 2


def test_every_close_code_of_the_server_has_a_reason() -> None:
    ours = {value for value in vars(close_codes).values() if isinstance(value, int)}
    assert ours <= CLOSE_REASONS.keys()
