"""metrics.jsonl."""

import json
from unittest.mock import Mock

import numpy as np
import torch

from gmpo_verl.trainer.metrics_log import MetricsLog


def test_rows_are_appended_across_openings_and_passed_on(tmp_path):
    path, tracking = tmp_path / "metrics.jsonl", Mock()
    MetricsLog(tracking, path).log(data={"a": 1, "b": np.float32(0.5), "c": torch.tensor(2.0), "d": "text"}, step=1)
    MetricsLog(tracking, path).log(data={"a": float("nan")}, step=2)
    first, second = map(json.loads, path.read_text().splitlines())
    assert first == {"step": 1, "data": {"a": 1, "b": 0.5, "c": 2.0}}
    assert second["step"] == 2 and second["data"]["a"] != second["data"]["a"]
    assert tracking.log.call_count == 2


def test_everything_else_is_the_trackers(tmp_path):
    tracking = Mock()
    MetricsLog(tracking, tmp_path / "metrics.jsonl").finish(exit_code=0)
    tracking.finish.assert_called_once_with(exit_code=0)
