# Two commands do everything on a machine that has only Python and make: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HEELER := $(BIN)/heeler

.PHONY: run test lint bench campaigns clean

run: $(VENV)/installed
	$(HEELER) demo

test: $(VENV)/tested
	$(MAKE) lint
	$(BIN)/python -m pytest -n auto --dist worksteal

lint: $(VENV)/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/installed
	$(BIN)/python bench/watch.py
	$(BIN)/python bench/lake.py
	$(BIN)/python bench/formats.py
	$(BIN)/python bench/search.py
	$(BIN)/python bench/following.py
	$(BIN)/python bench/syslog_rate.py
	$(BIN)/python bench/rules.py
	$(BIN)/python bench/http_source.py
	$(BIN)/python bench/daemon.py

campaigns: $(VENV)/tested
	$(BIN)/python campaigns/kill.py
	$(BIN)/python campaigns/power_cut.py
	$(BIN)/python campaigns/tail.py
	$(BIN)/python campaigns/logrotate.py
	$(BIN)/python campaigns/hostile_syslog.py
	$(BIN)/python campaigns/alerts.py
	$(BIN)/python campaigns/hostile.py
	$(BIN)/python campaigns/overload.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/tested: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@
