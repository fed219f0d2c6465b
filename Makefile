# make setup | web | run | test | check | format | bench | fuzz | mutants | lock | clean      (see README.md)
#
# Needs make and Python 3.11 or newer with its venv module (Debian: apt install make python3-venv).
# Everything else is set up in .venv from requirements/dev.txt, every file checked against its hash.

PYTHON  ?= python3
# Many tests wait for real processes and networks, so one worker more than there are cores leaves none idle.
WORKERS ?= $(shell echo $$((1 + $$(getconf _NPROCESSORS_ONLN))))
TESTS   ?=
SEEDS   ?= 20000
FROM    ?= 1

VENV   := .venv
BIN    := $(VENV)/bin
PIP    := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 $(BIN)/python -m pip --quiet
CODE   := src tests benchmarks examples packaging fuzz
PRESENT = $(wildcard $(CODE))

# Every process that is started would compile all of Roost anew: half of what a command costs.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup web run test check format world long bench fuzz mutants lock clean system-packages

help:
	@echo "make setup          everything Roost needs, in .venv (then: .venv/bin/roost)"
	@echo "make web            the web app, where Node.js is (docs/web.md)"
	@echo "make run            a relay and two demo people on this machine; ONCE=1 ends after the greeting"
	@echo "make test           all tests; TESTS=tests/wire runs some"
	@echo "make long           the few tests that take long"
	@echo "make check          format, lint, types, import contracts"
	@echo "make world          simulated worlds from SEEDS=20000 seeds, FROM=1 on (docs/testing.md)"
	@echo "make bench          the benchmarks (benchmarks/README.md)"
	@echo "make fuzz           every parser, a minute each; TARGET=wire-links SECONDS=600 (docs/testing.md)"
	@echo "make mutants        do the tests notice a changed line of crypto/ and wire/? ONLY=crypto/chains.py"
	@echo "make format lock clean"

# --- set-up: each step leaves a stamp and is done again only when what it read has changed --------------------------

setup: $(VENV)/.stamp-project

$(VENV)/.stamp-venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Roost needs Python 3.11 or newer; name one with: make setup PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "Python's venv module is missing. On Debian: apt install python3-venv" >&2; exit 1; }
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.stamp-packages: requirements/dev.txt $(VENV)/.stamp-venv
	@echo "Installing the pinned packages of requirements/dev.txt"
	@$(PIP) install --require-hashes --no-deps -r requirements/dev.txt
	@touch $@

$(VENV)/.stamp-project: pyproject.toml $(VENV)/.stamp-packages
	@echo "Installing Roost (editable)"
	@$(PIP) install --no-index --no-deps --no-build-isolation --editable .
	@touch $@

system-packages:
	@packaging/system-packages

# --- use --------------------------------------------------------------------------------------------------------------

web: setup
	@$(BIN)/python packaging/build_web.py

run: setup web
	@$(BIN)/python -m roost.apps.demo $(if $(filter-out 0,$(ONCE)),--once) $(if $(filter-out 0,$(TERMINAL)),--terminal)

test: setup web system-packages
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(TESTS)

check: setup
	$(BIN)/ruff format --check $(PRESENT)
	$(BIN)/ruff check $(PRESENT)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: setup
	$(BIN)/ruff format $(PRESENT)
	$(BIN)/ruff check --fix $(PRESENT)

world: setup
	$(BIN)/python -m tests.world --seeds $(SEEDS) --from $(FROM)

long: setup web system-packages
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m long $(TESTS)

bench: setup $(VENV)/.stamp-peers
	$(BIN)/python -m benchmarks $(BENCH)

$(VENV)/.stamp-peers: requirements/peers.txt requirements/mixnets.txt
	@for list in $^; do echo "Installing what the benchmarks compare with ($$list)"; \
	  $(PIP) install --require-hashes --no-deps -r $$list \
	    || echo "Not to be had here: the comparisons with them are left out." >&2; done
	@touch $@

fuzz: setup
	$(BIN)/python -m fuzz $(TARGET) --seconds $(or $(SECONDS),60)

mutants: setup
	$(BIN)/python -m tests.mutants $(ONLY)

# --- upkeep -----------------------------------------------------------------------------------------------------------

LOCK := --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet

lock: $(VENV)/.stamp-packages
	$(BIN)/uv pip compile pyproject.toml $(LOCK) $(UPGRADE) --output-file requirements/runtime.txt
	$(BIN)/uv pip compile pyproject.toml --all-extras $(LOCK) $(UPGRADE) --constraint requirements/runtime.txt \
	  --output-file requirements/extras.txt
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev $(LOCK) $(UPGRADE) --constraint requirements/extras.txt \
	  --output-file requirements/dev.txt
	$(BIN)/uv pip compile --group peers $(LOCK) $(UPGRADE) --constraint requirements/dev.txt \
	  --output-file requirements/peers.txt
	$(BIN)/uv pip compile --group mixnets $(LOCK) $(UPGRADE) --constraint requirements/dev.txt \
	  $(addprefix --no-emit-package ,pytest pytest-cov coverage iniconfig packaging pluggy pygments colorama) \
	  --output-file requirements/mixnets.txt

clean:
	rm -rf $(VENV) build dist web/node_modules src/roost/apps/web/static .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
