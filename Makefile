# Everything from a fresh checkout: needs Python >= 3.11 with venv, and make. `make` alone prints what there is.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test parity book check lint format bench notebooks thorough clean

PY := .venv/bin/python
PYTHONS = $(or $(PYTHON),python3.13 python3.12 python3.11 python3)

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18
	@echo 'ARGS="..." goes to pytest in test, parity and thorough, to the program in demo, book and bench; PYTHON=... chooses the interpreter.'

demo: .venv/demo.stamp ## the main job: derive, verify, emit and train a small network; writes out/
	@$(PY) demo.py $(ARGS)

test: .venv/dev.stamp ## all tests, with the doctests of README.md and of derive
	@$(PY) -m pytest -n auto --ignore=tests/parity $(ARGS)

parity: .venv/parity.stamp ## compare values and derivatives with PyTorch's, and docs/parity.md with what comes out
	@DERIVE_REQUIRE_ALL=1 $(PY) -m pytest -n auto tests/parity tests/test_oracle_windows.py tests/test_benchmarks.py $(ARGS)

book: .venv/dev.stamp ## all formulas as a book in build/book: index.html, and book.pdf, which needs LaTeX
	@.venv/bin/derive book -o build/book --format html $(ARGS)
	@.venv/bin/derive book -o build/book --format pdf $(ARGS)

check: lint test ## format, lint, types, tests: what a change must pass

lint: .venv/dev.stamp ## format, lint and strict types, changing nothing
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy derive

format: .venv/dev.stamp ## format the code, and mend what the linter can
	@$(PY) -m ruff check --fix-only .
	@$(PY) -m ruff format .

bench: .venv/bench.stamp ## measure derivation and emitted code, and compare its speed; writes docs/performance.md
	@$(PY) -m benchmarks.bench $(ARGS)

notebooks: .venv/dev.stamp ## execute the notebooks, in place
	@$(PY) -c "$$EXECUTE" notebooks/*.ipynb

thorough: .venv/dev.stamp ## all tests, the long ones too, with 20000 examples for each property
	@DERIVE_EXAMPLES=$${DERIVE_EXAMPLES:-20000} $(PY) -m pytest -m "" $(ARGS)

clean: ## remove all that make has made, .venv too
	@rm -rf .venv out build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# No times in what is written: executing twice gives the same file.
define EXECUTE
import sys, nbformat
from nbclient import NotebookClient
for path in sys.argv[1:]:
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": "notebooks"}}
    NotebookClient(notebook, record_timing=False, coalesce_streams=True, resources=where).execute()
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, path)
    print("executed", path, file=sys.stderr)
endef
export EXECUTE

# A stamp says what is installed; a new pyproject.toml installs again. What tests need includes what the demo needs.

.venv/demo.stamp: pyproject.toml | .venv/bin/python
	$(call install,demo)
	@touch $@

.venv/dev.stamp: pyproject.toml | .venv/bin/python
	$(call install,dev)
	@touch $@ .venv/demo.stamp

.venv/parity.stamp: pyproject.toml | .venv/dev.stamp
	$(call install,parity)
	@touch $@

.venv/bench.stamp: pyproject.toml | .venv/dev.stamp
	$(call install,bench)
	@touch $@

define install
	@echo 'installing derive-math[$(1)] into .venv (once)' >&2
	@$(PY) -m pip install -qq --disable-pip-version-check -e '.[$(1)]'
endef

.venv/bin/python:
	@found=; bare=; \
	for python in $(PYTHONS); do \
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	    if "$$python" -c 'import venv, ensurepip' 2>/dev/null; then found=$$python; break; fi; \
	    bare=$${bare:-$$python}; \
	done; \
	if [ -n "$$found" ]; then \
	    echo "making .venv with $$("$$found" --version)" >&2; \
	    "$$found" -m venv --clear .venv && exit; \
	    rm -rf .venv; exit 1; \
	fi; \
	if [ -n "$$bare" ]; then \
	    echo "error: $$bare cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; \
	else \
	    echo "error: no Python >= 3.11 among: $(PYTHONS); install one, or name it: make PYTHON=/path/to/python3" >&2; \
	fi; \
	exit 1
