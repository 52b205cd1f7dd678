# Pitchwatch. `make run` plays the sample show, `make test` runs every check. Both set up .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
SHOWS ?= tests/bench/shows/validation
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Whoever sets up waits for others who do, and then looks again; without flock (macOS) nobody waits.
LOCK := $(shell command -v flock 2>/dev/null)
LOCKED = mkdir -p $(VENV) && $(if $(LOCK),$(LOCK) $(VENV)/.lock) $(MAKE) --no-print-directory LOCK= UNLOCKED=yes $@

.PHONY: setup run demo-discord demo-janus test format train evaluate data-check bench-shows constraints clean

setup: $(VENV)/.ready

ifndef UNLOCKED
$(VENV)/.ready $(VENV)/.ready-dev $(VENV)/.ready-train: pyproject.toml constraints.txt
	@$(LOCKED)
else
$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Pitchwatch needs Python 3.11 or newer: make PYTHON=python3.11 …")'
	@echo "Setting up $(VENV) (once, about a minute) …" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	@$(PIP) install --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(VENV)/.ready-train: $(VENV)/.ready-dev
	@$(PIP) install --constraint constraints.txt --editable '.[dev,train]'
	@touch $@
endif

run: setup
	@mkdir -p .demo && rm -f .demo/pitchwatch.db*
	@$(BIN)/pitchwatch run --config samples/demo.toml $(ARGS)

# An evening on Discord from beginning to end, without Discord: the server of the tests takes its place.
demo-discord: $(VENV)/.ready-dev
	@$(BIN)/python -m samples.discord.demo $(ARGS)

# A live show on a real Janus with four seats and a chat: make demo-janus ARGS=--short
demo-janus: setup
	@command -v janus >/dev/null || { echo "Janus is needed: apt-get install janus" >&2; exit 1; }
	@$(BIN)/python -m bot.commands.janus_demo $(ARGS)

test: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest $(ARGS)

format: $(VENV)/.ready-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Train the classifier and the gate anew, and put them where the bot loads them from.
train: $(VENV)/.ready-train
	$(BIN)/python -m detectors.training.train --out checkpoints/new $(ARGS)
	$(BIN)/python -m detectors.training.export checkpoints/new --out detectors/model
	$(BIN)/python -m detectors.training.train_words --out detectors/model
	$(BIN)/python -m detectors.training.calibrate --model detectors/model
	$(BIN)/python -m detectors.training.train_gate --out detectors/model

# Measure the classifier on labelled lines: make evaluate LINES=file.jsonl
evaluate: $(VENV)/.ready-dev
	$(BIN)/python -m detectors.training.evaluate --lines $(LINES) $(ARGS)

# Look over all data: counts, hard kinds, duplicates, leaks into the test shows, agreement of readers. Neighbours by
# vectors are looked at where the train extra is installed; make data-check ARGS=--quick leaves them out.
data-check: $(VENV)/.ready
	$(BIN)/python -m detectors.training.data_check $(ARGS)

# Measure warnings on whole shows with .truth.json beside them: make bench-shows SHOWS=folder
bench-shows: $(VENV)/.ready-dev
	$(BIN)/python -m tests.bench.shows $(SHOWS) $(ARGS)

# Take the versions that are installed as those that go together.
constraints: $(VENV)/.ready-train
	@{ echo "# Every version that was tested together. Made with: make constraints"; \
	   $(BIN)/pip freeze --exclude-editable | grep -v '@' | sed 's/+cpu//'; } > constraints.txt

clean:
	rm -rf $(VENV) .demo .mypy_cache .ruff_cache .pytest_cache build *.egg-info
