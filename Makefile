# Everything is installed into .venv, created on first use with $(PYTHON). `make` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tests run in several processes; those of one file share a process. ROOM=processors runs the tests in tests/processors.
WORKERS := 2
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(if $(ROOM),tests/$(ROOM))
# Keep variables of another Python environment out of .venv.
unexport PYTHONHOME PYTHONPATH

.PHONY: help demo train test test-fast test-all test-rest check check-room docs package clean
.DELETE_ON_ERROR:

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1	\2/' | expand -t 20

demo: $(VENV)/installed-plots ## show an algorithm, and a network if the package has one; no training
	$(BIN)/nar demo

train: $(VENV)/installed-plots ## train a first network (dijkstra, 2 minutes on two cores), print its scores
	$(BIN)/nar train --config=configs/first.py --workdir=runs/first

test: check-room $(VENV)/installed-test ## check style and types, run the tests; ROOM=processors: only those in tests/processors
	$(if $(ROOM),,@$(MAKE) --no-print-directory -j 2 check test-fast)
	$(if $(ROOM),$(PYTEST) -m "not slow")

test-fast: $(VENV)/installed-test
	$(PYTEST) -m "not slow"

# Many of these tests wait for other processes: three workers fill two cores.
test-rest: WORKERS := 3
test-rest: check-room $(VENV)/installed-test ## run the tests that `make test` leaves out
	NAR_TEST_EXAMPLES=200 $(PYTEST) -m "slow or examples" $(if $(ROOM),|| test $$? = 5) # 5: no test is selected

test-all: ## run every test
	$(MAKE) test
	$(MAKE) test-rest

check-room:
	@test -z "$(ROOM)" || test -d "tests/$(ROOM)" || { echo "there is no tests/$(ROOM); rooms: $(sort $(notdir $(patsubst %/,%,$(dir $(wildcard tests/*/test_*.py)))))" >&2; exit 1; }

check: $(VENV)/installed-test ## check the style (ruff) and the types (pyright)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m pyright --pythonpath $(BIN)/python

docs: $(VENV)/installed-docs ## build the site, guides and API reference: site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build -q
	@echo "open site/index.html"

package: $(VENV)/bin/python ## build wheel and source distribution, check them in a new environment
	@$(BIN)/python -m pip install -q build twine
	rm -rf dist $(VENV).package
	$(BIN)/python -m build --outdir dist
	$(BIN)/python -m twine check --strict dist/*
	@$(PYTHON) -m venv $(VENV).package
	$(VENV).package/bin/python -m pip install -q dist/*.whl
	$(VENV).package/bin/python -m pip check
	folder=$$(mktemp -d) && nar=$$PWD/$(VENV).package/bin/nar && cd $$folder && $$nar --help && $$nar demo && \
	  $$nar train --config=tiny --config.training.steps=20 --workdir=run && \
	  $$nar evaluate --workdir=run --sizes=4 && \
	  $$nar predict --pretrained=bfs --input='{"edges": [[0, 1], [1, 2]], "s": 0}' && \
	  $(CURDIR)/$(VENV).package/bin/python -m pip install -q matplotlib && $$nar report run && rm -rf $$folder

clean: ## remove the environment and caches, but not the runs
	rm -rf $(VENV) $(VENV).package dist build site .cache .pytest_cache .ruff_cache .hypothesis *.egg-info
	find nar tests configs experiments -name __pycache__ -prune -exec rm -rf {} +

# Stamp files mark the last installation; it is repeated only when the requirements have changed.

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("nar needs Python 3.11 or newer; $(PYTHON) is " + sys.version.split()[0] + ". Choose another one: make PYTHON=python3.12")'
	@echo "creating $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/installed-plots: pyproject.toml | $(VENV)/bin/python
	@echo "installing nar and its dependencies into $(VENV) (about 1 GB; this takes some minutes)"
	@$(BIN)/python -m pip install -q -e ".[plots]"
	@touch $@

$(VENV)/installed-docs: pyproject.toml | $(VENV)/bin/python
	@echo "installing nar and MkDocs into $(VENV) (about 1 GB; this takes some minutes)"
	@$(BIN)/python -m pip install -q -e ".[plots,docs]"
	@touch $@

$(VENV)/installed-test: pyproject.toml tests/requirements-oracle.txt | $(VENV)/bin/python
	@echo "installing nar, the requirements of its tests and checks, and dm-clrs into $(VENV) (about 1 GB; this takes some minutes)"
	@$(BIN)/python -m pip install -q -e ".[test,check]"
	@$(BIN)/python -m pip install -q --no-deps -r tests/requirements-oracle.txt
	@touch $@
