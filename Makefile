# `make run` serves the app, `make test` tests everything; each sets up what it needs, once.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV ?= .venv
BIN := $(VENV)/bin
RUNS ?= runs
PORT ?=

# The newest interpreter that lossdiag supports, or the one you name: make run PYTHON=/path/to/python
PYTHON ?= $(shell for p in python3.14 python3.13 python3.12 python3.11 python3 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)

.PHONY: help run test check unit e2e bench format docs clean

help:  ## list what can be made
	@grep -E '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 10

run: $(VENV)/.installed  ## install if needed, then serve the app on 127.0.0.1
	$(BIN)/python -m lossdiag ui --runs "$(RUNS)" $(if $(PORT),--port $(PORT))

test: $(VENV)/.installed-dev browser  ## run every test, the browser's too
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

unit: $(VENV)/.installed-dev  ## run the tests that need no browser
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not e2e" $(ARGS)

e2e: $(VENV)/.installed-dev browser  ## run the browser tests; screenshots go to artifacts/
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m e2e $(ARGS)

check: $(VENV)/.installed-dev  ## format, lint, types, layers, generated pages
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed-dev  ## print the measured ratios
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks

format: $(VENV)/.installed-dev  ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.installed-dev  ## regenerate the generated pages and the loss catalog
	$(BIN)/python -m lossdiag.losses.catalog
	$(BIN)/python -m docs.generate_cli

clean:  ## remove the environment and all caches, but no runs
	rm -rf $(VENV) artifacts .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.PHONY: browser
browser: $(VENV)/.installed-dev
	@$(BIN)/python tests/e2e/browser.py

$(VENV)/.installed: requirements.txt constraints.txt
	@test -n "$(PYTHON)" || { echo "lossdiag needs Python 3.11 or newer, and none was found. Install one, or name it: make run PYTHON=/path/to/python" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "Could not create a virtual environment with $(PYTHON). On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --disable-pip-version-check -q -r requirements.txt -c constraints.txt
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	$(BIN)/python -m pip install --disable-pip-version-check -q -r requirements-dev.txt -c constraints.txt
	@touch $@
