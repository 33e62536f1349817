# Two commands matter: `make demo` and `make test`. Both make their own environment in .venv.
SHELL := /bin/bash
PYTHON ?= python3.11
BIN := .venv/bin/python
export FLWR_TELEMETRY_ENABLED = 0
export FLWR_DISABLE_UPDATE_CHECK = 1
export FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION = 1
export RAY_USAGE_STATS_ENABLED = 0
export OMP_NUM_THREADS = 1

.PHONY: demo test test-hard test-scale test-deployment test-faults check benchmark clean

demo: .venv/.installed  ## three synthetic hospitals, a federated cross-attention model, its audit and report
	@rm -rf demo
	@$(BIN) -m simulations.cli synthesise --patients 300 --out demo/sites > /dev/null
	@$(BIN) -m simulations.cli run --sites demo/sites --model cross_attention --rounds 10 --set training.lr=1e-3 --out demo/run

test: .venv/.installed  ## everything that must hold; under 10 minutes on 2 cores
	@$(BIN) -m pytest -n 2 -q -rs

test-hard: .venv/.installed  ## 5,000 damaged folders, a hundred kills; about 10 minutes
	@$(BIN) -m pytest -q -s -m hard tests/hard_inputs

test-scale: .venv/.installed  ## memory: a patient of 100,000 patches, a hundred sites; about 5 minutes
	@$(BIN) -m pytest -q -m scale

test-deployment: .venv/.installed  ## deploy/README.md followed on loopback, and the ray engine; under 4 minutes
	@$(BIN) -m pytest -n 2 --dist loadfile -q -rs tests/deployment

test-faults: .venv/.installed  ## parts of a deployment killed and cut off, the run resumed
	@$(BIN) -m pytest -q -rs -s -m faults tests/faults

check: .venv/.installed  ## format, lint, layers, types, tests
	@$(BIN) -m ruff format --check . && $(BIN) -m ruff check .
	@.venv/bin/lint-imports
	@$(BIN) -m mypy fusion privacy client server simulations
	@$(BIN) -m pytest -n 2 -q -rs

.venv/.installed: pyproject.toml
	@test -x $(BIN) || $(PYTHON) -m venv .venv
	@$(BIN) -m pip install --quiet "torch==2.13.0"
	@$(BIN) -m pip install --quiet -e ".[dev]"
	@touch $@

clean:  ## remove what make made
	@rm -rf .venv demo
