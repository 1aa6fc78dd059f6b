# The one door: everything that a developer or the CI does is a target of this file.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
EXTRAS := postgresql,mariadb,neo4j,parquet,search,test
# Worker processes of the tests, e.g. 4, or auto.
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test lint format integration interop interop-openstack bench constraints clean venv samples

help: ## What there is
	@awk -F ':.*## ' '/^[a-z_-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(STAMP) ## Tachyon at work on a sample cluster; DATA=file for one of your own
	$(BIN)/python -m tachyon.cli.demo
	$(if $(DATA),,$(BIN)/python -m tools.live_demo)

# The same examples of property tests on every run: a build must not fail by luck. Whoever calls
# pytest draws them anew.
test integration: export CI ?= true

test: $(STAMP) ## Tests that need no server (under five minutes)
	$(BIN)/pytest -n $(JOBS) $(ARGS)

lint: $(STAMP) ## Style, formatting, types, layers, Cypher
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/cypher_lint/lint.py

format: $(STAMP) ## Put the sources into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

integration: $(STAMP) ## Tests against real PostgreSQL, MariaDB and Neo4j, installed when absent
	$(BIN)/pytest -m integration --timeout 600 $(ARGS)

interop: $(STAMP) ## Stock Watcher's own tests on our models; its clients on our API, also in a real OpenStack; 50 kills
	$(BIN)/pytest -m interop --timeout 1800 $(ARGS) tests/interop tests/interop_control \
	  tests/interop_cloud tests/control/services

interop-openstack: $(STAMP) ## The collector beside a real OpenStack: after every operation the graph is the cloud
	$(BIN)/pytest -m interop --timeout 3600 -s $(ARGS) tests/interop_openstack

bench: $(STAMP) ## Measurements; BENCH_SMALL=1 for a quick round
	$(BIN)/python -m benchmarks $(ARGS)
	$(BIN)/python -m benchmarks.stock
	$(BIN)/python -m benchmarks.strategy_speed
	$(BIN)/python -m benchmarks.infra_optim
	$(BIN)/python -m benchmarks.planetlab_day
	$(BIN)/python -m benchmarks.rebalance --seconds $(if $(BENCH_SMALL),1 -- a1_4 a2_5,5)

samples: $(STAMP) ## Renew docs/samples: every option, every policy rule
	$(BIN)/oslo-config-generator --namespace tachyon --output-file docs/samples/tachyon.conf
	$(BIN)/oslopolicy-sample-generator --namespace tachyon --output-file docs/samples/policy.yaml

venv: $(STAMP) ## The virtual environment in .venv, with all extras

# ensurepip is a Debian package of its own, and not always there.
$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { \
	  rm -rf $(VENV); test "$$(id -u)" = 0 && apt-get update -q && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends python3-venv && \
	  $(PYTHON) -m venv $(VENV); } || { \
	  echo "cannot make a virtual environment: install Debian's python3-venv" >&2; exit 1; }
	$(BIN)/pip install --disable-pip-version-check -q -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

constraints: ## Renew constraints.txt from the newest versions that pyproject.toml allows
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --disable-pip-version-check -q -e '.[$(EXTRAS)]'
	{ sed -n '/^#/p' constraints.txt; $(BIN)/pip freeze --exclude-editable; } > constraints.txt.new
	mv constraints.txt.new constraints.txt
	@touch $(STAMP)

clean: ## Remove the virtual environment and every cache in the checkout
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
