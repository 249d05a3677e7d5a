# The two commands of the README: each sets up what it needs on a fresh machine.
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-fast lint clean

demo: $(VENV)/.installed  ## search saner_digits on real digits with wrong labels, and report
	$(BIN)/tune-robust search --space saner_digits

test: $(VENV)/.installed lint  ## every test, the end-to-end ones included
	$(BIN)/python -m pytest

test-fast: $(VENV)/.installed  ## unit tests alone
	$(BIN)/python -m pytest -m "not e2e"

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Written last, so that an interrupted installation starts over.
$(VENV)/.installed: pyproject.toml constraints.txt
	python3 -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
