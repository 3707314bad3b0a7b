"""Files and models are looked at before Ray starts."""

import json

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from omegaconf import OmegaConf

from gmpo_verl.data.arithmetic.tokenizer import make_tokenizer
from gmpo_verl.trainer.preflight import check

MODEL = "actor_rollout_ref.model.path"


pytestmark = pytest.mark.usefixtures("roomy")


@pytest.fixture
def changed(composed, tmp_path):
    def change(**values):
        config = composed.copy()
        config.run_dir = str(tmp_path / "run")
        for key, value in values.items():
            OmegaConf.update(config, key, str(value) if hasattr(value, "parent") else value)
        return config

    return change


def row(prompt="1+1=", answer="2", **other):
    return {
        "data_source": "sums",
        "prompt": [{"role": "user", "content": prompt}],
        "reward_model": {"style": "rule", "ground_truth": answer},
        **other,
    }


def write(path, rows):
    parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.fixture
def train(tmp_path):
    return write(tmp_path / "train.parquet", [row()] * 64)


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    make_tokenizer().save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "qwen2", "max_position_embeddings": 64}))
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def one(findings):
    assert len(findings) == 1, findings
    return findings[0]


def test_a_real_file_and_a_real_model_have_no_findings(changed, train, model):
    assert check(changed(**{"data.train_files": train, MODEL: model, "trainer.total_epochs": 60})) == []


def test_a_json_lines_file_is_read(changed, tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(row()) + "\n" for _ in range(64)))
    assert check(changed(**{"data.train_files": path, "trainer.total_epochs": 60})) == []


def test_a_mistyped_file_finds_its_neighbour(changed, train):
    finding = one(check(changed(**{"data.train_files": train.with_name("trian.parquet")})))
    assert f"did you mean {train}?" in finding


def test_a_folder_names_the_file_in_it(changed, train):
    assert f"did you mean {train}?" in one(check(changed(**{"data.train_files": train.parent})))


def test_one_file_of_several_may_be_missing(changed, train):
    config = changed(**{"data.train_files": [str(train), "/nowhere/more.parquet"]})
    assert "data.train_files=/nowhere/more.parquet does not exist" in one(check(config))


@pytest.mark.parametrize("column", ["prompt", "data_source"])
def test_a_missing_column_is_named(changed, tmp_path, column):
    renamed = [{(f"{key}s" if key == column else key): value for key, value in row().items()} for _ in range(64)]
    findings = check(changed(**{"data.train_files": write(tmp_path / "train.parquet", renamed)}))
    assert any(f"has no column {column}" in finding and f"{column}s" in finding for finding in findings)


def test_an_unknown_template_is_named(changed, tmp_path):
    path = write(tmp_path / "r2.parquet", [row(extra_info={"template": "r2"})] * 64)
    sentence = one(check(changed(**{"data.train_files": path})))
    assert "r2.parquet has a row whose extra_info['template'] is 'r2'" in sentence
    assert "qwen_math, r1, none" in sentence


@pytest.mark.parametrize("extra_info", [{"template": "r1"}, {"template": None, "index": 1}, {"index": 1}, None])
def test_a_known_template_or_none_is_fine(changed, tmp_path, extra_info):
    path = write(tmp_path / "train.parquet", [row(extra_info=extra_info)] * 512)
    assert check(changed(**{"data.train_files": path, "trainer.total_training_steps": 16})) == []


def test_a_missing_ground_truth_is_named(changed, tmp_path):
    path = write(tmp_path / "train.parquet", [row(answer=None)] * 64)
    assert "reward_model.ground_truth" in one(check(changed(**{"data.train_files": path})))


def test_a_prompt_that_is_no_chat_is_named(changed, tmp_path):
    path = write(tmp_path / "train.parquet", [{**row(), "prompt": "1+1="}] * 64)
    assert "list of messages" in one(check(changed(**{"data.train_files": path})))


def test_an_unreadable_file_is_named(changed, tmp_path):
    path = tmp_path / "train.parquet"
    path.write_bytes(b"not parquet")
    assert f"data.train_files={path} cannot be read" in one(check(changed(**{"data.train_files": path})))


def test_a_file_of_another_kind_is_named(changed, tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("x")
    assert ".parquet" in one(check(changed(**{"data.train_files": path})))


def test_an_empty_file_is_named(changed, tmp_path):
    path = write(tmp_path / "train.parquet", [row()])
    parquet.write_table(parquet.read_table(path).slice(0, 0), path)
    assert "has no rows" in one(check(changed(**{"data.train_files": path})))


def test_fewer_problems_than_a_batch_is_found(changed, tmp_path):
    path = write(tmp_path / "train.parquet", [row()] * 20)
    assert "20 usable problems, fewer than data.train_batch_size=32" in one(
        check(changed(**{"data.train_files": path}))
    )


def test_too_few_epochs_for_the_steps_is_found(changed, train):
    finding = one(check(changed(**{"data.train_files": train, "trainer.total_epochs": 30})))
    assert "trainer.total_epochs=35" in finding


def test_long_prompts_are_counted_with_the_models_tokenizer(changed, tmp_path):
    rows = [row()] * 62 + [row(prompt="1" * 40), row(prompt="1" * 50)]
    path = write(tmp_path / "train.parquet", rows)
    finding = one(check(changed(**{"data.train_files": path, "trainer.total_epochs": 60})))
    assert "2 prompts longer than data.max_prompt_length=32" in finding
    assert "data.max_prompt_length=50" in finding


def test_long_prompts_may_be_left_out(changed, tmp_path):
    path = write(tmp_path / "train.parquet", [row()] * 62 + [row(prompt="1" * 40)] * 2)
    values = {"data.train_files": path, "trainer.total_epochs": 80, "data.filter_overlong_prompts": True}
    assert check(changed(**values)) == []
    write(path, [row()] * 30 + [row(prompt="1" * 40)] * 34)
    assert "30 usable problems" in one(check(changed(**values)))


def test_a_model_without_its_parts_is_named(changed, train, model):
    values = {"data.train_files": train, MODEL: model, "trainer.total_epochs": 60}
    (model / "model.safetensors").unlink()
    assert "holds no weights" in one(check(changed(**values)))
    (model / "config.json").unlink()
    assert any("holds no config.json" in finding for finding in check(changed(**values)))


def test_prompt_and_response_have_to_fit_the_models_context(changed, train, model):
    config = changed(
        **{"data.train_files": train, MODEL: model, "trainer.total_epochs": 60, "data.max_response_length": 40}
    )
    finding = one(check(config))
    assert "need 72 tokens" in finding and "data.max_response_length=32" in finding


def test_a_mistyped_model_finds_its_neighbour(changed, model):
    assert f"did you mean {model}?" in one(check(changed(**{MODEL: model.with_name("modle")})))


def test_a_hub_model_needs_the_network_or_the_cache(changed, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    findings = check(changed(**{MODEL: "nobody/nothing-7B"}))
    assert "HF_HUB_OFFLINE" in one(findings)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.delenv("TRANSFORMERS_OFFLINE", raising=False)
    assert not any("nobody/nothing-7B" in finding for finding in check(changed(**{MODEL: "nobody/nothing-7B"})))


def test_remote_data_are_left_to_verl(changed):
    assert check(changed(**{"data.train_files": "hdfs://cluster/train.parquet"})) == []


def test_the_run_directory_of_another_configuration_is_a_finding(changed, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("x")
    assert f"run_dir={tmp_path / 'run'} holds files" in one(check(changed()))


def test_real_prompts_are_measured(changed, shared_data, tmp_path):
    problems = parquet.read_table(shared_data / "MATH" / "train.parquet").slice(0, 200).to_pylist()
    text = next(key for key in ("problem", "question") if key in problems[0])
    path = write(tmp_path / "train.parquet", [row(prompt=problem[text]) for problem in problems])
    longest = max(len(problem[text].encode()) for problem in problems)
    findings = check(changed(**{"data.train_files": path, "trainer.total_epochs": 60}))
    assert any("prompts longer than data.max_prompt_length=32" in finding for finding in findings)
    # The embedded tokenizer has a token a byte, so the longest prompt has at most that many.
    (named,) = [finding for finding in findings if "data.max_prompt_length=" in finding]
    measured = int(named.rpartition("write data.max_prompt_length=")[2].partition(",")[0])
    assert 0.9 * longest <= measured <= longest
