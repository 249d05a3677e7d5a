# The two commands of the README: each sets up what it needs on a fresh machine.
VENV := .venv
BIN := $(VENV)/bin
# One more than cores: the end-to-end tests often wait, for Ray or for a trial to come so far.
WORKERS := 3
# The tests start many processes: each would compile the code anew where this is set.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test test-fast coverage lint style types docs clean

demo: $(VENV)/.installed  ## search saner_digits on real digits with wrong labels, and report
	$(BIN)/tune-robust search --space saner_digits

test: $(VENV)/.installed style  ## every test, the end-to-end ones and the types included
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

test-fast: $(VENV)/.installed  ## the quick tests alone
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not e2e and not slow"

coverage: $(VENV)/.installed  ## lines and branches that the tests reach, also in the commands they run
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -n $(WORKERS) --dist loadgroup
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --skip-covered

lint: style types

style: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed
	$(BIN)/mypy

docs: $(VENV)/.installed  ## the documentation, into build/site; a broken link is an error
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev,docs]"
	$(BIN)/zensical build --clean --strict

# Written last, so that an interrupted installation starts over.
$(VENV)/.installed: pyproject.toml constraints.txt
	python3 -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
