"""The rows of a run's metrics file, whatever was left in it."""

from gmpo_verl.trainer.run_metrics import cut_metrics, metrics_rows


def test_rows_survive_a_truncated_line_in_the_middle(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(
        b'{"step": 1, "data": {}}\n{"step": 2, "da\n[1]\n{"step": "x", "data": {}}\n{"step": 3, "data": {}}\n'
    )
    assert [row["step"] for row in metrics_rows(path)] == [1, 3]
    assert cut_metrics(path, 1) == 1
    assert path.read_text() == '{"step": 1, "data": {}}\n'


def test_no_metrics_file_has_no_rows(tmp_path):
    assert list(metrics_rows(tmp_path / "none")) == []
    assert cut_metrics(tmp_path / "none", 3) == 0
