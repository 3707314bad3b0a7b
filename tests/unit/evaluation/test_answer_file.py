"""Answers survive any end of the process, and are never taken for another evaluation's."""

import json
import os

import pytest
from tiny_models import model_folder

from gmpo_verl.errors import UserError
from gmpo_verl.evaluation.answer_file import ANSWERS, AnswerFile, Key
from gmpo_verl.evaluation.fingerprint import differences, fingerprint
from gmpo_verl.evaluation.model_source import Model
from gmpo_verl.evaluation.sampling import Sampling

IDENTITY = {"sampling": {"temperature": 0.0}, "model": "m", "files": {}, "weights": []}
FIRST, SECOND = Key("amc", 0, "abc", 0), Key("amc", 0, "abc", 1)


def identify(stored):
    return IDENTITY


def test_answers_are_found_again(tmp_path):
    with AnswerFile(tmp_path / "out", identify) as file:
        file.add(FIRST, {"response": "42 \ud800 \u2028 \n\u00e9"})  # a lone surrogate, and line separators
    with AnswerFile(tmp_path / "out", identify) as file:
        assert set(file.answers) == {FIRST}
        assert file.answers[FIRST]["response"] == "42 \ud800 \u2028 \n\u00e9"


def test_an_answer_is_on_disk_before_the_file_is_closed(tmp_path):
    with AnswerFile(tmp_path, identify) as file:
        file.add(FIRST, {"response": "42"})
        assert json.loads((tmp_path / ANSWERS).read_text())["response"] == "42"


@pytest.mark.parametrize(
    "torn", [b'{"benchmark": "amc", "ind', b"{}", b"\x00\x00", b'{"benchmark": "amc"}\n', b"\xff\n"]
)
def test_a_torn_last_line_is_passed_over_and_does_not_spoil_the_next(tmp_path, torn):
    with AnswerFile(tmp_path, identify) as file:
        file.add(FIRST, {"response": "42"})
    with (tmp_path / ANSWERS).open("ab") as lines:
        lines.write(torn)
    with AnswerFile(tmp_path, identify) as file:
        assert set(file.answers) == {FIRST}
        file.add(SECOND, {"response": "43"})
    with AnswerFile(tmp_path, identify) as file:
        assert {key: row["response"] for key, row in file.answers.items()} == {FIRST: "42", SECOND: "43"}


def test_every_cut_of_the_file_leaves_its_whole_lines(tmp_path):
    with AnswerFile(tmp_path, identify) as file:
        for sample in range(3):
            file.add(Key("amc", 0, "abc", sample), {"response": str(sample)})
    whole = (tmp_path / ANSWERS).read_bytes()
    for size in range(len(whole) + 1):
        (tmp_path / ANSWERS).write_bytes(whole[:size])
        with AnswerFile(tmp_path, identify) as file:
            assert len(file.answers) == whole[:size].count(b"\n")


def test_another_evaluation_is_refused_and_left_as_it_is(tmp_path):
    with AnswerFile(tmp_path, identify) as file:
        file.add(FIRST, {"response": "42"})
    before = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}
    other = IDENTITY | {"sampling": {"temperature": 0.6}}
    with pytest.raises(UserError, match=r"temperature 0.0 instead of 0.6"):
        AnswerFile(tmp_path, lambda stored: other)
    assert {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)} == before


def test_other_files_are_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(UserError, match=r"thesis\.tex"):
        AnswerFile(tmp_path, identify)
    assert os.listdir(tmp_path) == ["thesis.tex"]
    with pytest.raises(UserError, match="is a file"):
        AnswerFile(tmp_path / "thesis.tex", identify)


def test_answers_without_an_owner_are_refused(tmp_path):
    (tmp_path / ANSWERS).write_text("{}\n")
    with pytest.raises(UserError, match="says whose"):
        AnswerFile(tmp_path, identify)


def test_two_processes_do_not_write_to_one_folder(tmp_path):
    with AnswerFile(tmp_path, identify), pytest.raises(UserError, match="another process"):
        AnswerFile(tmp_path, identify)
    AnswerFile(tmp_path, identify).__exit__()


def test_the_fingerprint_follows_the_content_of_a_model_and_not_its_place(tmp_path):
    one = Model(model_folder(tmp_path / "a"), "m")
    other = Model(model_folder(tmp_path / "b"), "m")
    changed = Model(model_folder(tmp_path / "c", weights=b"Weights"), "m")
    longer = Model(model_folder(tmp_path / "d", context=65), "m")
    stored = fingerprint(one, Sampling())
    assert differences(stored, fingerprint(other, Sampling())) == []
    assert differences(stored, fingerprint(changed, Sampling())) == ["the model m, changed"]
    assert differences(stored, fingerprint(longer, Sampling())) == ["the model m, changed"]


def test_weights_that_were_changed_in_place_are_read_again(tmp_path):
    model = Model(model_folder(tmp_path / "a"), "m")
    stored = json.loads(json.dumps(fingerprint(model, Sampling())))
    assert fingerprint(model, Sampling(), stored) == stored
    (model.folder / "model.safetensors").write_bytes(b"Weights")
    assert differences(stored, fingerprint(model, Sampling(), stored)) == ["the model m, changed"]


def test_weights_are_not_read_again_where_size_and_time_are_the_same(tmp_path, monkeypatch):
    model = Model(model_folder(tmp_path / "a"), "m")
    stored = fingerprint(model, Sampling())
    stored["weights"][0]["sha256"] = "as it was read then"
    assert fingerprint(model, Sampling(), stored)["weights"] == stored["weights"]


def test_sampling_that_differs_is_named():
    stored = {"sampling": Sampling().identity(), "files": {}, "weights": []}
    asked = {"sampling": Sampling(temperature=0.6, max_tokens=5).identity(), "model": "m", "files": {}, "weights": []}
    assert differences(stored, asked) == ["temperature 0.0 instead of 0.6", "max-tokens 3000 instead of 5"]
