# Two commands are all that is needed: `make mnist` and `make test`. Each sets up what it needs by itself.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help mnist test test-browser lint docs bench clean

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

$(VENV)/main: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[cli]'
	@touch $@

$(VENV)/test: pyproject.toml $(VENV)/main
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[all]' --group test --group lint
	@touch $@

mnist: $(VENV)/main  ## train a softmax classifier on the real MNIST
	$(BIN)/ag train mnist

test: $(VENV)/test  ## run all tests
	$(BIN)/python -m pytest --numprocesses auto

$(VENV)/browser: pyproject.toml $(VENV)/test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group browser
	@touch $@

test-browser: $(VENV)/browser  ## try the page in a real browser (.ci/setup installs Debian's Chromium; AG_CHROMIUM names another)
	$(BIN)/python -m pytest tests_browser

lint: $(VENV)/test  ## style and types
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(VENV)/test  ## write the pages and pictures that are made by the library
	$(BIN)/python docs/pictures.py
	$(BIN)/python docs/operators_page.py

bench:  ## compare with the peers: prints ratios, installs them into their own environment
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/requirements.txt --editable '.[cli,jit,learn]'
	.venv-bench/bin/python -m benchmarks.run

clean:  ## remove the environments
	rm -rf $(VENV) .venv-bench
