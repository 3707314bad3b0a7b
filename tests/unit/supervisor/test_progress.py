"""What is read from a metrics file while it is being written."""

import math
from pathlib import Path

import pytest

from gmpo_verl.supervisor.json_lines import JsonLinesTail
from gmpo_verl.supervisor.progress import Progress, duration


def test_a_line_is_read_once_it_is_complete(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    tail = JsonLinesTail(file)
    assert tail.read() == []
    file.write_text('{"step": 1}\n{"step"')
    assert tail.read() == [{"step": 1}]
    assert tail.read() == []
    with file.open("a") as end:
        end.write(": 2}\nnonsense\n[3]\n")
    assert tail.read() == [{"step": 2}]


def test_a_file_that_was_cut_is_read_from_the_start(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_text('{"step": 1}\n{"step": 2}\n')
    tail = JsonLinesTail(file)
    assert len(tail.read()) == 2 and not tail.rewound
    file.write_text('{"step": 1}\n')
    assert tail.read() == [{"step": 1}] and tail.rewound


def test_from_the_end_only_new_lines_are_read(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text('{"event": "error"}\n')
    tail = JsonLinesTail(file, from_end=True)
    with file.open("a") as end:
        end.write('{"event": "warning"}\n')
    assert tail.read() == [{"event": "warning"}]


def test_figures_of_a_run() -> None:
    progress = Progress()
    progress.begin(total_steps=10, first_step=1)
    keys = ["val-core/a/acc/mean@4", "val-core/b/acc/mean@4", "val-aux/a/acc/mean@4", "val-core/a/acc/maj@4"]
    progress.take({"step": 0, "data": dict(zip(keys, (0.2, 0.4, 9, 9), strict=True))}, now=100.0)
    correlation = "training/rollout_actor_probs_pearson_corr"
    for step, value in enumerate([0.99, math.nan, 0.97, 0.98], start=1):
        progress.take(
            {"step": step, "data": {"critic/rewards/mean": step / 10, correlation: value}}, now=100.0 + 3 * step
        )
    progress.take({"step": 4, "data": {keys[0]: 0.6, keys[1]: 0.8}}, now=112.0)
    assert progress.step == 4
    assert progress.accuracy == pytest.approx(0.7)
    assert progress.accuracy_first == {keys[0]: (0, 0.2), keys[1]: (0, 0.4)}
    assert progress.reward == 0.4
    assert progress.seconds_a_step == pytest.approx(3.0)
    assert progress.seconds_left == pytest.approx(18.0)
    assert progress.correlation_min == 0.97


def test_rows_of_an_earlier_part_give_values_but_no_pace() -> None:
    progress = Progress()
    progress.begin(total_steps=10, first_step=3)
    progress.take({"step": 1, "data": {"val-core/a/acc/mean@1": 0.1}}, now=None)
    progress.take({"step": 2, "data": {}}, now=None)
    assert (progress.step, progress.accuracy, progress.seconds_a_step) == (2, 0.1, None)


@pytest.mark.parametrize("seconds, text", [(44.6, "45 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")])
def test_durations_are_readable(seconds: float, text: str) -> None:
    assert duration(seconds) == text
