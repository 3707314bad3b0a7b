"""Values `embedded://...` of a configuration."""

import pytest
from omegaconf import OmegaConf

from gmpo_verl.data.embedded import is_embedded, resolve_embedded
from gmpo_verl.errors import UserError


def config(model: str, train: str = "train.parquet") -> object:
    return OmegaConf.create({
        "actor_rollout_ref": {"model": {"path": model}},
        "data": {"train_files": train, "val_files": "val.parquet"},
        "arithmetic": {"clean_steps": 1, "slip_steps": 0, "batch_size": 2, "validation_size": 4},
    })  # fmt: skip


def test_only_the_embedded_values_are_replaced_by_files_that_exist(monkeypatch, tmp_path):
    monkeypatch.setenv("GMPO_CACHE", str(tmp_path))
    resolved = config("embedded://arithmetic")
    resolve_embedded(resolved)
    assert resolved.actor_rollout_ref.model.path.startswith(str(tmp_path))
    assert not is_embedded(resolved.actor_rollout_ref.model.path)
    assert resolved.data.train_files == "train.parquet"


def test_nothing_is_made_where_nothing_is_embedded(monkeypatch, tmp_path):
    monkeypatch.setenv("GMPO_CACHE", str(tmp_path / "cache"))
    resolve_embedded(config("org/model"))
    assert not (tmp_path / "cache").exists()


def test_an_unknown_name_is_refused():
    with pytest.raises(UserError, match=r"data\.train_files=embedded://arithmetic/test is not embedded"):
        resolve_embedded(config("embedded://arithmetic", "embedded://arithmetic/test"))
