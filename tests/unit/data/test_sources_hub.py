import errno

import pytest
from datasets import Dataset, DatasetDict
from datasets.exceptions import DatasetNotFoundError
from small_sources import prepared_rows

from gmpo_verl.data.sets import SETS
from gmpo_verl.data.sources import open_source
from gmpo_verl.errors import UserError
from gmpo_verl.prepare_data import main


class Hub:
    """Stands in for `datasets.load_dataset`."""

    def __init__(self, result):
        self.result = result
        self.asked = []

    def __call__(self, name, config=None):
        self.asked.append((name, config))
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result


@pytest.fixture
def hub(monkeypatch):
    def put(result):
        stand_in = Hub(result)
        monkeypatch.setattr("datasets.load_dataset", stand_in)
        return stand_in

    return put


@pytest.mark.parametrize(
    ("data_set", "asked"),
    [
        ("math_lvl3to5", ("DigitalLearningGmbH/MATH-lighteval", None)),
        ("gsm8k", ("openai/gsm8k", "main")),
        ("asdiv", ("EleutherAI/asdiv", None)),
        ("deepscaler", ("agentica-org/DeepScaleR-Preview-Dataset", None)),
        ("geometry3k", ("hiyouga/geometry3k", None)),
    ],
)
def test_a_set_without_a_source_is_asked_of_its_own_place_on_the_hub(tmp_path, hub, data_set, asked):
    stand_in = hub(ConnectionError("no"))
    assert main([data_set, "--out", str(tmp_path / "out")]) == 2
    assert stand_in.asked == [asked]


def test_the_configuration_of_the_well_known_set_is_not_asked_of_another(tmp_path, hub):
    stand_in = hub(ConnectionError("no"))
    main(["gsm8k", "--source", "somebody/gsm8k", "--out", str(tmp_path / "out")])
    assert stand_in.asked == [("somebody/gsm8k", None)]


def test_the_splits_of_the_hub_are_files(tmp_path, hub):
    rows = [{"question": f"{n}+{n}?", "answer": f"work\n#### {2 * n}"} for n in range(3)]
    hub(DatasetDict({"train": Dataset.from_list(rows), "test": Dataset.from_list(rows[:1])}))
    assert main(["gsm8k", "--out", str(tmp_path / "out")]) == 0
    truths = [row["reward_model"]["ground_truth"] for row in prepared_rows(tmp_path / "out/train.parquet")]
    assert truths == [["0"], ["2"], ["4"]]
    assert len(prepared_rows(tmp_path / "out/test.parquet")) == 1


def test_asdivs_one_split_is_training_data(tmp_path, hub):
    row = {"body": "Two and two.", "question": "How many?", "answer": "4 (cats)", "solution_type": "Sum", "formula": ""}
    hub(DatasetDict({"validation": Dataset.from_list([row])}))
    assert main(["asdiv", "--out", str(tmp_path / "out")]) == 0
    (prepared,) = prepared_rows(tmp_path / "out/train.parquet")
    assert prepared["extra_info"]["problem"] == "Two and two. How many?"
    assert prepared["extra_info"]["source_split"] == "validation"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (DatasetNotFoundError("Dataset 'a/b' doesn't exist on the Hub"), "is neither here nor on the hub"),
        (ConnectionError("Couldn't reach 'a/b'"), "is not here, and the hub cannot be reached"),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            r"cannot be fetched .*No space .* name a cache with free space",
        ),
        (ValueError("Config name is missing.\nPlease pick one"), r"cannot be fetched from the hub \(Config name is"),
    ],
)
def test_what_keeps_a_data_set_away_is_said_in_one_sentence(hub, error, sentence):
    hub(error)
    with pytest.raises(UserError, match=f"^--source=a/b {sentence}") as caught:
        open_source("a/b")
    assert "\n" not in str(caught.value)


def test_every_set_knows_where_it_comes_from():
    for data_set in SETS.values():
        assert data_set.hub or data_set.where or data_set.embedded
