# make run    the main job: digits through five frameworks
# make test   everything that has to hold
# make test-environments   the same of every framework that has an environment of its own
# Both set up .venv on first use, and again only when pyproject.toml or constraints.txt changed.
# PyTorch from another index (its CPU build, say): make run TORCH_INDEX=https://...

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: run test test-environments clean

run: .venv/run
	$(BIN)/python -m harness run

test: .venv/test
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

# every framework in an environment of its own: 6.6 GB, of which Caffe2 takes 2
test-environments: .venv/test
	$(BIN)/python -m harness env create --all
	$(BIN)/python -m pytest -q -m environments

clean:
	rm -rf .venv

.venv/made:
	@test -n "$(PYTHON)" || { echo "needs Python 3.11, 3.12 or 3.13 on the PATH (or make PYTHON=...)"; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/torch: .venv/made constraints.txt
ifdef TORCH_INDEX
	$(PIP) --index-url $(TORCH_INDEX) torch
endif
	@touch $@

.venv/run: .venv/torch pyproject.toml constraints.txt
	@echo "setting up .venv: five frameworks, about 4 GB, a few minutes the first time"
	$(PIP) -e '.[all]'
	@touch $@

.venv/test: .venv/run
	$(PIP) -e '.[all,test]'
	@touch $@
