# gatekeeper: everything a person or a machine does with a clone. `make` alone lists it.
#
# Needs python3 (3.11 or newer) with pip, and make. The rest goes into .venv, in the versions that uv.lock names, and
# is set up again only when pyproject.toml or uv.lock has changed: with a fresh .venv nothing here uses the network.

SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= python3
UV_VERSION := 0.13.9
# Programs are started as `python -m`, because a script's first line cannot name a path with spaces.
PY := .venv/bin/python
UV := UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=.venv VIRTUAL_ENV= $(PY) -m uv

# Where this is set, each of the many processes of a run compiles all that it imports, which takes longer than all else.
unexport PYTHONDONTWRITEBYTECODE

# Stamps: what was set up, and when. The environment for tests contains the one for running.
HAS_UV := .venv/.has-uv-$(UV_VERSION)
TO_RUN := .venv/.ready-to-run
TO_TEST := .venv/.ready-to-test

# Each worker starts its own store. Four, on two cores too: much of the time they wait for servers; more gain nothing.
# tests/scheduling.py says what stays together.
PYTEST_ARGS ?= -n 4 --dist loadgroup
RUN_ARGS ?=
# In this time a machine with four cores makes a million holds.
TORTURE_ARGS ?= --minutes 25
BENCH_ARGS ?=

.PHONY: help
help: ## list what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

.PHONY: run
run: $(TO_RUN) ## start the gateway with a sandbox provider and a demo team (RUN_ARGS="--port 0 --admin-port 0")
	@exec $(PY) -m gatekeeper demo $(RUN_ARGS)

.PHONY: test
test: $(TO_TEST) ## run every test, on real servers (PYTEST_ARGS=tests/core: one folder)
	@$(PY) -m pytest $(PYTEST_ARGS)

.PHONY: torture
torture: $(TO_TEST) ## kill, cut, drop, mutate, and judge the books (TORTURE_ARGS="--minutes 5 --only gateways")
	@$(PY) -m tests.torture $(TORTURE_ARGS)

.PHONY: bench
bench: $(TO_TEST) ## the gateway against its baselines, in 20 minutes (BENCH_ARGS=--quick: in 3)
	@$(PY) -m benchmarks $(BENCH_ARGS)

.PHONY: bench-peers
bench-peers: $(TO_TEST) ## the gateway beside LiteLLM and Portkey, which are set up in .peers
	@$(PY) -m benchmarks.peers $(BENCH_ARGS)

.PHONY: bench-growth
bench-growth: $(TO_TEST) ## the gateway beside little and much, in 20 minutes (BENCH_ARGS=--quick: in 3)
	@$(PY) -m benchmarks.growth $(BENCH_ARGS)

.PHONY: screenshots
screenshots: $(TO_TEST) ## pictures of the console in docs/screenshots, of a month that is made up (needs chromium)
	@$(PY) -m tests.screenshots

.PHONY: check
check: format-check lint types floors audit coverage ## all that must hold before a change goes in

.PHONY: fmt
fmt: $(TO_TEST) ## format the code and mend what the linter can mend
	@$(PY) -m ruff check --fix --quiet . || true
	@$(PY) -m ruff format .

.PHONY: format-check
format-check: $(TO_TEST)
	@$(PY) -m ruff format --check . || { echo "make fmt formats it"; exit 1; }

.PHONY: lint
lint: $(TO_TEST) ## ruff
	@$(PY) -m ruff check .

.PHONY: types
types: $(TO_TEST) ## mypy --strict
	@$(PY) -m mypy

.PHONY: floors
floors: $(TO_TEST) ## who may import whom
	@$(PY) -c 'import sys; from importlinter.cli import lint_imports_command as main; sys.exit(main())' --no-logo

.PHONY: audit
audit: $(HAS_UV) ## what of uv.lock is known to be vulnerable (asks api.osv.dev; says so where it cannot)
	@$(PY) -m tests.house.audit

.PHONY: coverage
coverage: $(TO_TEST) ## every test, with the coverage it must reach
	@$(PY) -m coverage erase
	@$(PY) -m coverage run -m pytest $(PYTEST_ARGS)
	@$(PY) -m coverage combine --quiet
	@$(PY) -m coverage report

.PHONY: generate
generate: $(TO_TEST) ## write the parts of docs/ that come from the code
	@$(PY) -m tests.house.generated

.PHONY: docs
docs: $(TO_TEST) ## build docs/ as a site, into site/; a link that leads nowhere fails it
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build
	@echo "open site/index.html; with the search: python3 -m http.server --bind 127.0.0.1 -d site"

.PHONY: dist
dist: $(TO_TEST) ## wheel and source distribution in dist/, the list of all they need in sbom/
	@rm -rf dist sbom
	@$(PY) -m hatchling build -d dist
	@mkdir -p sbom
	@$(UV) export --quiet --locked --no-dev --all-extras --preview-features sbom-export --format cyclonedx1.5 --output-file sbom/gatekeeper.cdx.json

.PHONY: release-check
release-check: dist ## build them, install the wheel alone, and run its demo
	@$(PY) -m tests.house.smoke dist/*.whl

.PHONY: clean
clean: ## remove what was made here; credits and tokens (config/data) stay
	rm -rf .venv .peers dist sbom site .coverage .coverage.* .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find gatekeeper tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# Debian's python3 cannot put pip into a new environment, so its own pip installs there.
$(HAS_UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gatekeeper needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...")'
	@echo "setting up .venv"
	@$(PYTHON) -m venv --without-pip .venv
	@$(PYTHON) -m pip --python $(PY) install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

$(TO_RUN): $(HAS_UV) pyproject.toml uv.lock
	@$(UV) sync --quiet --locked --no-dev --inexact
	@touch $@

$(TO_TEST): $(HAS_UV) pyproject.toml uv.lock
	@$(UV) sync --quiet --locked
	@touch $(TO_RUN) $@
