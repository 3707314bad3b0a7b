"""The page holds what it needs and nothing that acts, and the command says one sentence where it cannot be made."""

import base64
import gzip
import html
import json
import math
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import plotly
import pytest
from runs_on_disk import CONFIG, write_dump, write_run

from gmpo_verl.report import main
from gmpo_verl.reporting import follow as following
from gmpo_verl.reporting.collected import Collected, Collector
from gmpo_verl.reporting.page import SCRIPTS, render

ROW = {
    "critic/rewards/mean": 0.5,
    "actor/entropy": 0.4,
    "gmpo/log_ratio_max": 0.1,
    "gmpo/log_ratio_min": -0.1,
    "val-core/math500/acc/mean@1": 0.3,
    "perf/time_per_step": 2.0,
}


def report(*arguments: object, out: Path) -> str:
    assert main([*map(str, arguments), "--out", str(out)]) == 0
    return out.read_text(encoding="utf-8")


def packed_json(page: str, marker: str) -> list[Any]:
    found = re.findall(rf'<script type="application/octet-stream" {marker}>([^<]*)</script>', page)
    return [json.loads(gzip.decompress(base64.b64decode(text))) for text in found]


def test_one_run_has_its_summary_its_figures_and_its_answers(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [ROW] * 20)
    row = {"input": "1+1=", "output": r"\boxed{3}", "gts": "2", "score": 0.0, "length": 5, "uid": "a"}
    write_dump(folder, "rollouts", 1, [row, row | {"output": r"\boxed{2}", "score": 1.0}])
    write_dump(folder, "validation", 10, [row])
    page = report(folder, out=tmp_path / "report.html")
    assert "Accuracy on math500" in page
    assert "Nothing stands out" in page
    assert 'data-figure="log_ratio"' in page
    (table,) = packed_json(page, 'id="sample-index"')
    assert table["problems"] == [["1+1=", "", "2", "math500"], ["1+1=", "", "2", ""]]
    assert table["columns"]["answer"] == ["3", "3", "2"]
    assert table["columns"]["validation"] == [1, 0, 0]
    ((first, *_),) = packed_json(page, 'class="sample-chunk"')
    assert first == [r"\boxed{3}", 0, "The answer does not equal the ground truth."]


def test_several_runs_are_grouped_compared_and_their_options_listed(tmp_path: Path) -> None:
    other = json.loads(json.dumps(CONFIG))
    other["actor_rollout_ref"]["actor"]["policy_loss"]["mean_exponent"] = 1.0
    runs = [
        write_run(tmp_path / "a", [ROW] * 3, CONFIG),
        write_run(tmp_path / "b", [ROW] * 3, CONFIG | {"seed": 1}),
        write_run(tmp_path / "c", [ROW | {"actor/entropy": 0.6}] * 3, other),
    ]
    page = report(*runs, out=tmp_path / "report.html")
    assert "gmpo and grpo_wide_clip: 3 runs" in page
    assert "2 runs</span>" in page
    assert "+0.2</span>" in page
    assert "actor_rollout_ref.actor.policy_loss.mean_exponent" in page


def test_a_page_asks_for_nothing_outside_itself_and_runs_its_own_scripts_alone(tmp_path: Path) -> None:
    page = report(write_run(tmp_path / "run", [ROW]), out=tmp_path / "report.html")
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1])
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert policy.count("sha256-") == len(SCRIPTS)
    assert "unsafe-eval" not in policy
    markup = re.sub(r"<script>.*?</script>|<style>.*?</style>", "", page, flags=re.DOTALL)
    assert not re.search(r'(?:src|href)="(?!#|data:)', markup)


def test_hostile_names_and_values_stay_text(tmp_path: Path) -> None:
    evil = '"><script>alert(1)</script>\u202e'
    config = json.loads(json.dumps(CONFIG))
    config["actor_rollout_ref"]["model"]["path"] = evil
    folder = write_run(tmp_path / "<b>run", [{f"val-core/{evil}/acc/mean@1": 0.5, evil: math.nan, **ROW}] * 12, config)
    write_dump(
        folder, "rollouts", 1, [{"input": evil, "output": evil, "gts": evil, "score": evil, "data_source": evil}]
    )
    page = report(folder, out=tmp_path / "report.html")
    assert "<script>alert" not in page
    assert "<b>run" not in page
    assert "\u202e" not in page
    assert page.count("</script>") == page.count("<script")


@pytest.mark.parametrize(
    "rows",
    [
        [ROW],
        [{"critic/score/mean": 0.1, "actor/pg_clipfrac": 0.0, "timing_s/step": 1.0}] * 5,
        [{}],
        [{"actor/entropy": math.nan, "critic/rewards/mean": math.inf}] * 12,
        [{"actor/entropy": 10**400, "critic/rewards/mean": "text", "perf/throughput": True}] * 12,
    ],
    ids=["one step", "stock verl", "no metric", "no numbers", "odd types"],
)
def test_odd_metrics_give_a_page(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    assert "<h1" in report(write_run(tmp_path / "run", rows, config=None), out=tmp_path / "report.html")


def test_broken_dumps_are_left_out_and_counted(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [ROW])
    write_dump(folder, "rollouts", 1, [{"input": "a", "output": "b", "score": 1.0}])
    with (folder / "rollouts" / "1.jsonl").open("ab") as file:
        file.write(b'[1]\n\xff\xfe\n{"input": "cut')
    (folder / "rollouts" / "2.jsonl").mkdir()
    page = report(folder, out=tmp_path / "report.html")
    assert "3 lines of its answers could not be read" in page
    assert "1 files of its answers could not be opened" in page
    assert "All 1 answers" in page


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda tmp: [tmp / "absent"], "does not exist"),
        (lambda tmp: [tmp], "holds no metrics.jsonl"),
        (lambda tmp: [write_run(tmp / "run", [])], "no whole row"),
        (lambda tmp: [write_run(tmp / "run", [ROW]), tmp / "run" / "metrics.jsonl"], "named twice"),
        (lambda tmp: [write_run(tmp / "run", [ROW]), "--samples", "-1"], "--samples=-1 is negative"),
        (lambda tmp: [write_run(tmp / "run", [ROW]), "--samples", "many"], "--samples"),
        (lambda tmp: [], "RUN"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Any, words: str
) -> None:
    (tmp_path / "empty").mkdir()
    out = tmp_path / "report.html"
    assert main([*map(str, make(tmp_path)), "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.startswith("gmpo_verl: ")
    assert said.count("\n") == 1
    assert not out.exists()


def test_a_page_that_cannot_be_written_is_one_sentence_and_leaves_the_old_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_run(tmp_path / "run", [ROW])
    assert main([str(folder), "--out", str(tmp_path)]) == 2
    assert main([str(folder), "--out", str(folder / "metrics.jsonl" / "report.html")]) == 2
    assert capsys.readouterr().err.count("\n") == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_figures_without_a_browser_are_one_sentence_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from choreographer.browsers.chromium import Chromium

    monkeypatch.setattr(Chromium, "find_browser", lambda **_: None)
    folder, out = write_run(tmp_path / "run", [ROW]), tmp_path / "report.html"
    assert main([str(folder), "--out", str(out), "--figures", str(tmp_path / "figures")]) == 2
    assert "--figures needs Chromium" in capsys.readouterr().err
    assert not out.exists()


def test_the_same_runs_give_the_same_page(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [ROW] * 3)
    write_dump(folder, "rollouts", 1, [{"input": "a", "output": "b", "score": 1.0}])
    pages = {render(Collector([str(folder)], 10).collect(), "now") for _ in range(2)}
    assert len(pages) == 1


def test_new_dumps_are_read_once_and_a_rewritten_one_starts_anew(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [ROW])
    rows = [{"input": str(place), "output": "x", "score": 1.0} for place in range(3)]
    write_dump(folder, "rollouts", 1, rows)
    collector = Collector([str(folder)], 100)
    assert len(collector.collect().samples) == len(collector.collect().samples) == 3
    write_dump(folder, "rollouts", 2, rows)
    assert len(collector.collect().samples) == 6
    write_dump(folder, "rollouts", 1, rows[:1])
    assert len(collector.collect().samples) == 4


def test_validation_and_rollouts_share_the_page(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [ROW])
    rows = [{"input": str(place), "output": "x", "score": 1.0} for place in range(100)]
    write_dump(folder, "rollouts", 1, rows)
    write_dump(folder, "validation", 1, rows[:20])
    kinds = [sample.kind for sample in Collector([str(folder)], 60).collect().samples]
    assert (kinds.count("validation"), kinds.count("rollout")) == (20, 40)
    write_dump(folder, "validation", 2, rows)
    kinds = [sample.kind for sample in Collector([str(folder)], 60).collect().samples]
    assert (len(kinds), kinds.count("rollout")) == (60, 30)


def test_following_rewrites_the_page_until_the_runs_have_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(following, "COST_FACTOR", 0.0)
    folder = write_run(tmp_path / "run", [])
    written: list[tuple[int, bool]] = []

    def write(collected: Collected, live: bool) -> None:
        step = collected.runs[0].last_step
        written.append((step, live))
        assert ('data-reload-seconds="0"' in render(collected, "now", live)) is not live
        if step < 3:
            write_run(folder, [ROW] * (step + 1))
        else:
            (folder / "finished.json").write_text("{}")

    following.follow(Collector([str(folder)], 0), write, poll_seconds=0.01)
    assert written == [(0, True), (1, True), (2, True), (3, True), (3, False)]


def test_a_followed_page_that_is_interrupted_stops_reloading(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [ROW])
    written: list[bool] = []

    def write(collected: Collected, live: bool) -> None:
        written.append(live)
        if live:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        following.follow(Collector([str(folder)], 0), write)
    assert written == [True, False]


def test_a_followed_page_is_written_a_last_time_on_sigterm(tmp_path: Path) -> None:
    folder, out = write_run(tmp_path / "run", [ROW]), tmp_path / "report.html"
    command = [sys.executable, "-m", "gmpo_verl.report", str(folder), "--out", str(out), "--follow"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not out.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert 'data-reload-seconds="10"' in out.read_text(encoding="utf-8")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
    assert 'data-reload-seconds="0"' in out.read_text(encoding="utf-8")


def test_the_inlined_plotly_is_the_version_that_plotly_for_python_speaks_to() -> None:
    folder = Path(plotly.__file__).parent / "package_data"
    whole = re.search(r"plotly.js v([\d.]+)", (folder / "plotly.min.js").read_text(encoding="utf-8"))
    basic = re.search(r"plotly.js \(basic - minified\) v([\d.]+)", render(Collected([], [], 0), "now"))
    assert whole and basic
    assert basic[1].split(".")[0] == whole[1].split(".")[0]
