"""Problems of prepared files, and the sentence where a file is something else."""

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from gmpo_verl.errors import UserError
from gmpo_verl.evaluation.benchmarks import read_benchmarks


def row(truth="1", template="r1", content="What is 1?", **more):
    return {
        "data_source": "test",
        "prompt": [{"role": "user", "content": content}],
        "reward_model": {"style": "rule", "ground_truth": truth},
        "extra_info": {"index": 0, "template": template},
    } | more


def write(folder, name, rows):
    folder.mkdir(exist_ok=True)
    parquet.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")


@pytest.fixture
def data(tmp_path):
    for name in ("olympiad_bench", "aime24", "amc", "zebra", "train"):
        write(tmp_path / "data", name, [row(str(number)) for number in range(5)])
    return tmp_path / "data"


def test_benchmarks_come_in_the_papers_order_and_training_data_stays_out(data):
    assert list(read_benchmarks(str(data))) == ["aime24", "amc", "olympiad_bench", "zebra"]


def test_chosen_ones_alone_are_read_training_data_too(data):
    assert list(read_benchmarks(str(data), ("zebra", "amc"))) == ["amc", "zebra"]
    assert list(read_benchmarks(str(data), ("train",))) == ["train"]


def test_a_single_file_is_one_benchmark(data):
    (problems,) = read_benchmarks(str(data / "train.parquet")).values()
    assert [problem.ground_truth for problem in problems] == list("01234")
    assert problems[3].name == "train 3"
    assert problems[0].template == "r1"


def test_the_limit_takes_the_first_of_each(data):
    assert [len(problems) for problems in read_benchmarks(str(data), limit=2).values()] == [2] * 4


def test_an_unknown_benchmark_names_the_known_ones(data):
    with pytest.raises(UserError, match=r"--benchmarks aime is not in .*did you mean aime24.*There is aime24, amc"):
        read_benchmarks(str(data), ("aime",))


def test_several_answers_and_images_are_read(tmp_path):
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"png")
    images = [{"bytes": b"jpeg", "path": None}, {"bytes": None, "path": str(picture)}]
    write(tmp_path / "data", "geometry3k", [row(["1", "one"], images=images)])
    (problem,) = read_benchmarks(str(tmp_path / "data"))["geometry3k"]
    assert problem.ground_truth == ["1", "one"]
    assert problem.images == (b"jpeg", b"png")


def test_a_row_without_a_template_asks_for_a_box(tmp_path):
    write(tmp_path / "data", "a", [row() | {"extra_info": {"index": 0}}])
    assert read_benchmarks(str(tmp_path / "data"))["a"][0].template == "qwen_math"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row(truth="")], r"row 0 has no reward_model\.ground_truth"),
        ([row(), row(truth=None)], r"row 1 has no reward_model\.ground_truth"),
        ([row(template="qwen")], "row 0: .*'qwen' and not one of"),
        ([row() | {"prompt": "What is 1?"}], "row 0 has a prompt that is not a list"),
        ([row() | {"prompt": []}], "row 0 has a prompt that is not a list"),
        ([row(images=[{"bytes": None, "path": "/nowhere.png"}])], "row 0 has an image"),
        ([{"problem": "1?", "answer": "1"}], "has no column prompt, only problem, answer"),
        ([{"prompt": [{"role": "user", "content": "1?"}]}], "has no column reward_model"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path, rows, said):
    write(tmp_path / "data", "amc", rows)
    with pytest.raises(UserError, match=said):
        read_benchmarks(str(tmp_path / "data"))


def test_folders_and_files_without_problems_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"--data .* does not exist"):
        read_benchmarks(str(tmp_path / "nothing"))
    with pytest.raises(UserError, match="holds no parquet file"):
        read_benchmarks(str(tmp_path))
    (tmp_path / "amc.parquet").write_bytes(b"PAR1 cut off")
    with pytest.raises(UserError, match="cannot be read"):
        read_benchmarks(str(tmp_path))
    (tmp_path / "amc.csv").write_text("a")
    with pytest.raises(UserError, match="not a parquet file"):
        read_benchmarks(str(tmp_path / "amc.csv"))


def test_an_empty_file_is_refused(tmp_path):
    table = pa.Table.from_pylist([row()])
    parquet.write_table(table.slice(0, 0), tmp_path / "amc.parquet")
    with pytest.raises(UserError, match="has no rows"):
        read_benchmarks(str(tmp_path))
