"""Secrets stay out of the configuration, and code of a model's makers stays unread unless it is asked for."""

import pytest

from gmpo_verl.config.compose import all_keys, compose, group_options
from gmpo_verl.trainer.preflight import secrets

VARIABLES = "ray_kwargs.ray_init.runtime_env.env_vars"


@pytest.mark.parametrize("name", ["WANDB_API_KEY", "HF_TOKEN", "RAY_AUTH_TOKEN", "DB_PASSWORD", "token"])
def test_a_secret_among_the_variables_is_refused_with_where_it_belongs(name):
    (said,) = secrets.check(compose([f"+{VARIABLES}.{name}=abc"]))
    assert said.startswith(f"{VARIABLES}.{name} would be written") and "abc" not in said


@pytest.mark.parametrize("name", ["NCCL_DEBUG", "TOKENIZERS_PARALLELISM", "KEYBOARD", "RAY_AUTH_TOKEN_PATH"])
def test_other_variables_are_not(name):
    assert list(secrets.check(compose([f"+{VARIABLES}.{name}=1"]))) == []
    assert list(secrets.check(compose([]))) == []


@pytest.mark.parametrize("recipe", group_options("recipe"))
def test_no_recipe_trusts_remote_code_or_starts_rays_dashboard(recipe):
    config = compose([f"recipe={recipe}"])
    trusting = {key for key, value in all_keys(config).items() if key.endswith("trust_remote_code") and value}
    assert trusting == set()
    assert config.ray_kwargs.ray_init.include_dashboard is False
