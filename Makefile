# Short names; the work stands in scripts/.
PYTHON := .venv/bin/python
export HF_HUB_OFFLINE ?= 1

.PHONY: setup train test test-faults test-cluster test-long bench lint clean

setup:
	scripts/setup.sh

train: setup
	$(PYTHON) -m gmpo_verl.main_ppo algorithm=gmpo run_dir=outputs/arithmetic/$(shell date +%Y%m%d-%H%M%S) $(ARGS)

test: setup
	$(PYTHON) -m pytest -m "not faults and not cluster and not long" tests

test-faults: setup
	$(PYTHON) -m pytest -m faults tests/e2e

test-cluster: setup
	$(PYTHON) -m pytest -m "cluster and not long" tests/cluster

test-long: setup
	$(PYTHON) -m pytest -m long tests

bench: setup
	OMP_NUM_THREADS=1 $(PYTHON) scripts/benchmarks/loss.py --short
	OMP_NUM_THREADS=1 $(PYTHON) scripts/benchmarks/reward.py --short
	OMP_NUM_THREADS=1 CUDA_VISIBLE_DEVICES= $(PYTHON) scripts/benchmarks/pruning.py --short
	$(PYTHON) scripts/benchmarks/startup.py --short
	$(PYTHON) scripts/benchmarks/step.py --short
	$(PYTHON) scripts/benchmarks/scaling.py --short
	$(PYTHON) scripts/benchmarks/round_model.py

lint: setup
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/shellcheck --external-sources scripts/*.sh scripts/ray/*sh scripts/slurm/*.sh scripts/slurm/*.sbatch .ci/run

clean:
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
