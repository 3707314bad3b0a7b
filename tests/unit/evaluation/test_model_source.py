"""What `--model` may be, and the sentence where it is something else."""

import json
import os
import shutil

import pytest
from tiny_models import model_folder, run_folder

from gmpo_verl.data.templates import messages
from gmpo_verl.errors import UserError
from gmpo_verl.evaluation import run_models
from gmpo_verl.evaluation.benchmarks import Problem
from gmpo_verl.evaluation.failure import EvaluationFailedError
from gmpo_verl.evaluation.model_source import Model, find_model
from gmpo_verl.evaluation.prompts import Renderer, check_context
from gmpo_verl.evaluation.run_models import checkpoint_of
from gmpo_verl.evaluation.run_template import template_of_run


def find(path):
    return find_model(str(path), False, lambda text: None)


def test_a_complete_folder_is_a_model(tmp_path):
    model = find(model_folder(tmp_path / "m", context=77))
    assert (model.name, model.context, model.run_dir) == ("m", 77, None)
    assert model.dtype() == "float32"
    assert model.dtype("bfloat16") == "bfloat16"


def test_a_multimodal_models_limits_stand_one_level_down(tmp_path):
    text = {"max_position_embeddings": 99, "dtype": "bfloat16"}
    model = Model(model_folder(tmp_path / "m", max_position_embeddings=None, dtype=None, text_config=text), "m")
    assert (model.context, model.dtype()) == (99, "bfloat16")


@pytest.mark.parametrize(
    ("lost", "said"),
    [("config.json", "no config.json"), ("tokenizer.json", "no tokenizer"), ("model.safetensors", "no weights")],
)
def test_what_a_folder_lacks_is_named(tmp_path, lost, said):
    folder = model_folder(tmp_path / "m")
    (folder / lost).unlink()
    with pytest.raises(UserError, match=said):
        find(folder)


def test_a_missing_shard_is_named(tmp_path):
    folder = model_folder(tmp_path / "m")
    index = {"weight_map": {"a": "model.safetensors", "b": "model-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match=r"model-00002\.safetensors"):
        find(folder)


def test_the_folder_above_a_model_hints_at_it(tmp_path):
    model_folder(tmp_path / "models" / "qwen")
    with pytest.raises(UserError, match=r"did you mean .*models/qwen"):
        find(tmp_path / "models")


def test_a_path_that_does_not_exist_hints_at_a_neighbour(tmp_path):
    model_folder(tmp_path / "qwen")
    with pytest.raises(UserError, match=r"did you mean .*/qwen"):
        find(tmp_path / "qwem")


def test_a_hub_name_that_cannot_be_had_says_why(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError, match="not in the hub's cache, and HF_HUB_OFFLINE is set"):
        find("nobody/nothing-of-this-name")


def test_a_run_stands_for_its_newest_complete_checkpoint(tmp_path):
    run = run_folder(tmp_path / "gmpo-seed0", steps=(9, 10, 20), complete=10)  # 20 is still being written
    checkpoint = checkpoint_of(run)
    assert (checkpoint.step, checkpoint.name, checkpoint.dtype) == (10, "Qwen2.5-Math-7B gmpo-seed0 step 10", "float32")
    (checkpoint.folder / "actor" / "model_world_size_1_rank_0.pt").unlink()
    assert checkpoint_of(run).step == 9


def test_a_rank_that_is_missing_makes_a_checkpoint_incomplete(tmp_path):
    run = run_folder(tmp_path / "run", steps=(1, 2), ranks=3)
    (run / "checkpoints" / "global_step_2" / "actor" / "model_world_size_3_rank_2.pt").unlink()
    assert checkpoint_of(run).step == 1
    with pytest.raises(UserError, match=r"model_world_size_3_rank_2\.pt"):
        checkpoint_of(run / "checkpoints" / "global_step_2")


def test_one_of_its_checkpoints_can_be_named(tmp_path):
    run = run_folder(tmp_path / "run", steps=(1, 2))
    assert checkpoint_of(run / "checkpoints" / "global_step_1").step == 1


def test_a_run_that_was_moved_is_read_where_it_is(tmp_path):
    run = run_folder(tmp_path / "run")
    shutil.move(run, tmp_path / "elsewhere")
    assert checkpoint_of(tmp_path / "elsewhere").folder == tmp_path / "elsewhere" / "checkpoints" / "global_step_2"


def test_a_run_without_a_checkpoint_says_so(tmp_path):
    with pytest.raises(UserError, match="without a complete checkpoint"):
        find(run_folder(tmp_path / "run", steps=()))


def test_a_bfloat16_run_is_exported_in_bfloat16(tmp_path):
    assert checkpoint_of(run_folder(tmp_path / "run", rollout_dtype="bfloat16")).dtype == "bfloat16"


def test_adapters_are_refused(tmp_path):
    run = run_folder(tmp_path / "run")
    (run / "checkpoints" / "global_step_2" / "actor" / "lora_train_meta.json").write_text("{}")  # in no marker
    with pytest.raises(UserError, match="LoRA"):
        find(run)


def test_a_checkpoint_is_exported_once_and_only_whole(tmp_path, monkeypatch):
    run = run_folder(tmp_path / "run")
    (run / "export" / "2.partial").mkdir(parents=True)  # of an export that was killed
    (run / "export" / "2.partial" / "half").write_text("x")
    calls = []

    def merge(command, **_):
        partial = command[-2]
        assert not os.path.exists(partial)
        calls.append(command[-1])
        model_folder(type(tmp_path)(partial))
        return run_models.subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(run_models.subprocess, "run", merge)
    assert find(run).folder == find(run).folder == run / "export" / "2"
    assert calls == ["float32"]
    assert find(run / "export" / "2") == find(run)
    assert sorted(os.listdir(run / "export")) == ["2", "2.lock"]


def test_a_merge_that_fails_leaves_nothing(tmp_path):
    run = run_folder(tmp_path / "run")  # its shards are no tensors
    with pytest.raises(EvaluationFailedError, match="cannot be merged"):
        find(run)
    assert os.listdir(run / "export") == ["2.lock"]


def test_the_template_of_a_run_is_that_of_its_data(tmp_path):
    run = run_folder(tmp_path / "run")
    assert template_of_run(run) == "none"
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("embedded://arithmetic/train", str(tmp_path / "train.parquet")))
    assert template_of_run(run) == "qwen_math"
    (tmp_path / "manifest.json").write_text(json.dumps({"template": "r1"}))
    assert template_of_run(run) == "r1"


def ask(template, text="37+58="):
    return Problem("b", 0, tuple(messages(template, text)), "95", template)


def test_a_chat_template_wraps_qwen_math_and_nothing_wraps_the_others(tmp_path):
    folder = model_folder(tmp_path / "m")
    (folder / "chat_template.jinja").write_text("<{% for message in messages %}{{ message['content'] }}|{% endfor %}>")
    renderer = Renderer(find(folder))
    assert renderer.render(ask("none")).text == "37+58="
    assert renderer.render(ask("r1")).text.endswith("User: 37+58=\nAssistant: <think>")
    wrapped = renderer.render(ask("qwen_math")).text
    assert wrapped.startswith("<Please reason") and wrapped.endswith("|37+58=|>")


def test_a_prompt_is_counted_in_tokens_of_the_model(tmp_path):
    prompt = Renderer(find(model_folder(tmp_path / "m"))).render(ask("none"))
    assert prompt.tokens == len(prompt.token_ids) == 6


def test_a_context_that_is_too_short_says_what_fits(tmp_path):
    model = find(model_folder(tmp_path / "m", context=64))
    prompts = [("amc 0", Renderer(model).render(ask("none"))), ("amc 1", Renderer(model).render(ask("none", "x" * 40)))]
    assert check_context(model, prompts, 24, exactly=True) == 64
    with pytest.raises(UserError, match=r"amc 1.*context of .* is 64 tokens: write --max-tokens 24 or less"):
        check_context(model, prompts, 25, exactly=True)
    assert check_context(model, prompts, 25, exactly=False) == 64
    too_long = [("amc 2", Renderer(model).render(ask("none", "x" * 64)))]
    for exactly in (True, False):
        with pytest.raises(UserError, match=r"a context of 64 tokens and amc 2 has a prompt of 64"):
            check_context(model, too_long, 1, exactly)


def test_without_a_chat_template_qwen_math_is_refused(tmp_path):
    folder = model_folder(tmp_path / "m")
    (folder / "chat_template.jinja").unlink()
    renderer = Renderer(find(folder))
    assert renderer.render(ask("none")).tokens == 6
    with pytest.raises(UserError, match="no chat template"):
        renderer.render(ask("qwen_math"))
