"""The command on real data sets, its files as verl reads them, and how it ends when something is in its way."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as parquet
import pytest
from PIL import Image

from gmpo_verl.data.templates import chat_template_for, messages
from gmpo_verl.prepare_data import main

COUNTS = {"aime24": 30, "amc": 83, "math500": 500, "minerva": 272, "olympiad_bench": 675}
COMMAND = (sys.executable, "-m", "gmpo_verl.prepare_data")


def prepare(*arguments) -> None:
    assert main(list(map(str, arguments))) == 0


def manifest_in(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


@pytest.fixture(scope="module")
def suite(shared_data, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("prepared") / "evaluation_suite"
    prepare("evaluation_suite", "--source", shared_data / "understand_r1_zero/evaluation_suite", "--out", out)
    return out


@pytest.fixture(scope="module")
def math(shared_data, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("prepared") / "math_lvl3to5"
    prepare("math_lvl3to5", "--source", shared_data / "MATH", "--out", out)
    return out


def test_math_without_math500_has_8888_problems_of_which_two_have_no_answer(math):
    manifest = manifest_in(math)
    assert (manifest["rows_in"], manifest["rows_of_set"], manifest["distinct_problems"]) == (12_500, 8_888, 8_885)
    assert manifest["rows_out"] == manifest["files"]["train.parquet"]["rows"] == 8_886
    assert manifest["dropped"] == [{"reason": "no answer", "count": 2, "rows": {"train": [5341, 5343]}}]
    assert [path.name for path in math.glob("*.parquet")] == ["train.parquet"]


def test_no_training_problem_of_math_is_a_problem_of_math500(math, suite):
    def texts(path):
        rows = parquet.read_table(path).to_pylist()
        return {"".join(row["extra_info"]["problem"].split()) for row in rows}

    assert not texts(math / "train.parquet") & texts(suite / "math500.parquet")


def test_the_suite_has_its_five_benchmarks_whole(suite):
    assert {name: entry["rows"] for name, entry in manifest_in(suite)["files"].items()} == {
        f"{name}.parquet": rows for name, rows in COUNTS.items()
    }


@pytest.mark.parametrize(("data_set", "folder", "rows"), [("gsm8k", "gsm_8k", 8_792), ("asdiv", "asdiv_2k", 1_788)])
def test_word_problems_are_all_usable(shared_data, tmp_path, data_set, folder, rows):
    prepare(data_set, "--source", shared_data / "understand_r1_zero/train" / folder, "--out", tmp_path / "out")
    manifest = manifest_in(tmp_path / "out")
    assert manifest["rows_in"] == manifest["rows_out"] == manifest["distinct_problems"] == rows


@pytest.mark.parametrize("benchmark", COUNTS)
def test_every_acceptable_answer_of_a_benchmark_is_right_when_it_is_given(suite, benchmark):
    from gmpo_verl.rewards.math_reward import grade

    wrong = [
        (row["extra_info"]["index"], answer)
        for row in parquet.read_table(suite / f"{benchmark}.parquet").to_pylist()
        for answer in row["reward_model"]["ground_truth"]
        if grade(rf"So it is \boxed{{{answer}}}.", row["reward_model"]["ground_truth"])["score"] != 1
    ]
    assert wrong == []


def test_floats_and_lists_of_the_suite_come_back_from_parquet_as_the_answers_they_were(shared_data, suite):
    from datasets import load_from_disk

    from gmpo_verl.rewards.equivalence import acceptable_answers

    source = load_from_disk(str(shared_data / "understand_r1_zero/evaluation_suite"))
    for split, benchmark in (("amc", "amc"), ("minerva", "minerva"), ("olympiad_bench", "olympiad_bench")):
        rows = parquet.read_table(suite / f"{benchmark}.parquet").to_pylist()
        truths = [acceptable_answers(row["reward_model"]["ground_truth"]) for row in rows]
        assert truths == [acceptable_answers(answer) for answer in source[split]["answer"]]


def test_a_hub_download_of_math_without_the_suite_gives_the_same_rows(shared_data, math, tmp_path):
    folder = tmp_path / "MATH-lighteval/data"
    folder.mkdir(parents=True)
    for split in ("train", "test"):
        (folder / f"{split}-00000-of-00001.parquet").symlink_to(shared_data / f"MATH/{split}.parquet")
    prepare("math_lvl3to5", "--source", folder.parent, "--out", tmp_path / "out")
    assert (tmp_path / "out/train.parquet").read_bytes() == (math / "train.parquet").read_bytes()


def verl_dataset(files, tmp_path, tokenizer=None, processor=None, **options):
    from omegaconf import OmegaConf
    from verl.utils.dataset.rl_dataset import RLHFDataset

    config = {"cache_dir": str(tmp_path / "verl"), "filter_overlong_prompts": False, **options}
    return RLHFDataset(list(map(str, files)), tokenizer, OmegaConf.create(config), processor)


@pytest.fixture
def datasets_cache(tmp_path, monkeypatch):
    import datasets.config

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def test_verl_reads_files_of_all_sets_as_one(math, suite, tmp_path, datasets_cache):
    prepare("arithmetic", "--out", tmp_path / "arithmetic")
    files = [math / "train.parquet", *(suite / f"{name}.parquet" for name in COUNTS)]
    dataset = verl_dataset([*files, tmp_path / "arithmetic/test.parquet"], tmp_path)
    assert len(dataset) == 8_886 + 1_560 + 128
    row = dataset[8_886 + 30]
    assert (row["data_source"], row["ability"], row["index"]) == ("amc", "math", 0)
    assert row["reward_model"] == {"style": "rule", "ground_truth": ["142"]}
    assert row["raw_prompt"] == messages("qwen_math", row["extra_info"]["problem"])


@pytest.fixture
def wrapping_tokenizer():
    from gmpo_verl.data.arithmetic.tokenizer import make_tokenizer

    tokenizer = make_tokenizer()
    tokenizer.chat_template = "<system>{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<turn>"
    return tokenizer


@pytest.mark.parametrize("template", ["r1", "none"])
def test_verl_starts_rollouts_from_the_very_text_of_a_complete_prompt(wrapping_tokenizer, template):
    from verl.utils.tokenizer.continuous_token_wiring import create_continuous_token_builder

    kwargs = {"chat_template": chat_template_for(template)}
    builder = create_continuous_token_builder(wrapping_tokenizer, hf_model_type="qwen2", chat_template_kwargs=kwargs)
    prompt = messages(template, "What is 1+1?")
    assert wrapping_tokenizer.decode(builder.build_initial_tokens(prompt)) == prompt[0]["content"]


def test_verl_measures_a_complete_prompt_without_the_models_chat_template(wrapping_tokenizer, tmp_path, datasets_cache):
    prepare("arithmetic", "--out", tmp_path / "out")
    options = {"filter_overlong_prompts": True, "max_prompt_length": 6, "filter_overlong_prompts_workers": None}
    kept = {
        given: len(
            verl_dataset(
                [tmp_path / "out/test.parquet"],
                tmp_path,
                wrapping_tokenizer,
                apply_chat_template_kwargs={"chat_template": chat_template_for("none")} if given else {},
                **options,
            )
        )
        for given in (True, False)
    }
    assert kept == {True: 128, False: 0}


def figure(size: tuple[int, int], kind: str = "PNG") -> bytes:
    stream = BytesIO()
    Image.new("RGB", size, "white").save(stream, kind)
    return stream.getvalue()


@pytest.fixture
def figures(tmp_path) -> Path:
    """Geometry3K's columns, with the type that the hub gives its images."""
    from datasets import Dataset, DatasetDict, Features, Value
    from datasets import Image as ImageType
    from datasets import List as ListType

    features = Features({"images": ListType(ImageType()), "problem": Value("string"), "answer": Value("string")})
    rows = [
        {"images": [{"bytes": figure((20 + n, 30)), "path": None}], "problem": f"<image>Find x{n}.", "answer": str(n)}
        for n in range(4)
    ]
    rows.append({"images": [{"bytes": b"damaged", "path": None}], "problem": "<image>Find y.", "answer": "1"})
    splits = {"train": rows, "validation": rows[:1], "test": rows[:2]}
    folder = tmp_path / "geometry3k"
    DatasetDict({name: Dataset.from_list(rows, features) for name, rows in splits.items()}).save_to_disk(str(folder))
    for name, rows in splits.items():
        file = tmp_path / f"files/data/{name}-00000-of-00001.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        Dataset.from_list(rows, features).to_parquet(str(file))
    return folder


def test_figures_reach_verls_messages_in_their_places(figures, tmp_path, datasets_cache):
    prepare("geometry3k", "--source", figures, "--out", tmp_path / "out")
    manifest = manifest_in(tmp_path / "out")
    assert {name: file["rows"] for name, file in manifest["files"].items()} == {
        "train.parquet": 4,
        "validation.parquet": 1,
        "test.parquet": 2,
    }
    assert manifest["template"] == "easy_r1"
    assert [(entry["count"], entry["rows"]) for entry in manifest["dropped"]] == [(1, {"train": [4]})]
    dataset = verl_dataset([tmp_path / "out/train.parquet"], tmp_path, processor=object())
    for number in range(4):
        row = dataset[number]
        (message,) = row["raw_prompt"]
        image, text = message["content"]
        assert (image["type"], image["image"].size) == ("image", (20 + number, 30))
        assert text["type"] == "text"
        assert text["text"].startswith(f"Find x{number}. You FIRST think")
        assert row["extra_info"]["template"] == "qwen_math"
        assert "images" not in row


def test_figures_are_the_same_from_parquet_files_and_from_a_saved_folder(figures, tmp_path):
    prepare("geometry3k", "--source", figures, "--out", tmp_path / "a")
    prepare("geometry3k", "--source", tmp_path / "files", "--out", tmp_path / "b")
    for name in ("train", "validation", "test"):
        assert (tmp_path / f"a/{name}.parquet").read_bytes() == (tmp_path / f"b/{name}.parquet").read_bytes()


def run(*arguments, **more) -> subprocess.CompletedProcess:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, **more)


def test_a_disk_that_fills_up_ends_with_a_sentence_and_leaves_nothing(shared_data, tmp_path):
    source = shared_data / "understand_r1_zero/train/gsm_8k"

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    result = run("gsm8k", "--source", source, "--out", tmp_path / "new/out", preexec_fn=small_files)
    assert result.returncode == 2
    assert result.stderr.startswith(f"gmpo_verl: --out={tmp_path}/new/out cannot be written (File too large)")
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "network", [{"HF_HUB_OFFLINE": "1"}, {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "http://127.0.0.1:9"}]
)
def test_a_hub_that_cannot_be_reached_ends_with_a_sentence(tmp_path, network):
    environment = os.environ | network | {"HF_HOME": str(tmp_path / "hf")}
    result = run("gsm8k", "--out", tmp_path / "out", env=environment)
    assert result.returncode == 2
    assert "gmpo_verl: --source=openai/gsm8k is not here, and the hub cannot be reached" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_command_that_is_ended_in_the_middle_leaves_nothing(tmp_path):
    rows = "".join(json.dumps({"problem": f"{n}+{n}", "answer": str(2 * n)}) + "\n" for n in range(300_000))
    (tmp_path / "train.jsonl").write_text(rows)
    out = tmp_path / "new/out"
    process = subprocess.Popen([*COMMAND, "gsm8k", "--source", tmp_path / "train.jsonl", "--out", out])
    while not out.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 128 + signal.SIGTERM
    assert not out.parent.exists()
