# Every target builds what it needs from the lock; a second call finds it built and skips.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# pip needs minutes where uv needs seconds; the hashes of the lock bind both.
UV := $(BIN)/python -m uv
UV_VERSION := uv>=0.9,<1
# Compiled at install: an import of Prefect takes twice as long without.
INSTALL := $(UV) pip install --quiet --python $(BIN)/python
LOCKED := $(INSTALL) --compile-bytecode --require-hashes
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --annotation-style line \
	--extra build
LOCK_ARGS ?=
# One more than there are cores: tests that wait for programs leave room for it.
WORKERS ?= $(shell echo $$(($$(nproc 2>/dev/null || echo 2) + 1)))
# PostgREST's stand-in and the Supabase CLI: packages that only tests run.
REST := tests/supabase/rest
NODE_MODULES := $(REST)/node_modules/.package-lock.json
# tests/conftest.py says which worker gets what.
PYTEST := $(BIN)/python -m pytest -n $(WORKERS)
PHASE ?=
LOANS ?= 1000000
WIDE ?= 0
TRIALS ?= 1000

# ------------------------------------------------------------------ what a person does

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: $(VENV)/.run ## the daily flow on a synthetic tape of the real size, then its KPIs
	PIPELINE_ENV=development $(BIN)/python -m deployments.first_run

.PHONY: demo
demo: $(VENV)/.run ## two minutes of a lender's week, on this machine alone
	$(BIN)/tapewatch demo

.PHONY: test
test: $(VENV)/.dev $(NODE_MODULES) ## the whole test suite but the trials of minutes: make soak
	$(PYTEST)

.PHONY: check
check: lint type-check ## every check that runs no code of ours

.PHONY: quality
quality: check test ## what must pass before a commit

.PHONY: lint
lint: $(VENV)/.dev ## style, format, import rules, SQL
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --disable-progress-bar warehouse/sql

.PHONY: type-check
type-check: $(VENV)/.dev ## strict types
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --pythonpath $(BIN)/python

.PHONY: test-cov
test-cov: $(VENV)/.dev $(NODE_MODULES) ## the tests, with the floor under their branch coverage
	$(PYTEST) --cov --cov-report=term

.PHONY: bench
bench: $(VENV)/.dev ## the data path against bare DuckDB, in one run, and what a scrape costs
	$(BIN)/python -m deployments.bench
	$(BIN)/python -m deployments.bench_exporter

.PHONY: bench-inputs
bench-inputs: $(VENV)/.dev ## a ZIP, a workbook and, with WIDE=60000000 rows, a 12 GB CSV
	$(BIN)/python -m deployments.bench_inputs --wide-rows $(WIDE)

.PHONY: serve
serve: $(VENV)/.run ## Prefect's server, a worker, every deployment and the exporter, on this machine
	PIPELINE_ENV=$${PIPELINE_ENV:-development} $(BIN)/python -m deployments.serve

.PHONY: deploy
deploy: $(VENV)/.run ## register the deployments with the server of PREFECT_API_URL
	$(BIN)/python -m deployments.deploy

.PHONY: deploy-verify
deploy-verify: $(VENV)/.dev ## the five criteria of the hour after a deployment (TESTS=tests/x: those alone)
	$(BIN)/tapewatch deploy-verify $(addprefix --tests ,$(TESTS))

.PHONY: bench-backfill
bench-backfill: $(VENV)/.dev ## every month end of a tape of a million loans, from one run
	$(BIN)/python -m deployments.bench_backfill

.PHONY: observe
observe: $(VENV)/.run ## exporter, Prometheus and Alertmanager on this machine, over the last runs
	PIPELINE_ENV=$${PIPELINE_ENV:-development} \
	TAPEWATCH_ALERTING__MENTIONS_BY=$${TAPEWATCH_ALERTING__MENTIONS_BY:-alertmanager} \
	$(BIN)/tapewatch observe

.PHONY: compose
compose: ## the same with Grafana, in Docker: GRAFANA_ADMIN_PASSWORD=... make compose
	umask 077; mkdir -p logs data/observe/compose data/observe/series data/observe/notified data/observe/grafana
	OWNER="$$(id -u):$$(id -g)" docker compose -f deployments/compose.yml up --build

.PHONY: audit-dry-run
audit-dry-run: $(VENV)/.run ## the audit rows of the last run, printed and not sent
	PIPELINE_ENV=$${PIPELINE_ENV:-development} $(BIN)/tapewatch audit payload

.PHONY: audit-write
audit-write: $(VENV)/.run ## send the audit store every row that it lacks
	$(BIN)/tapewatch audit write

.PHONY: stress
stress: $(VENV)/.run ## one phase on a large tape: make stress PHASE=ingestion LOANS=1000000
	@[[ -n "$(PHASE)" ]] || { echo "make stress needs PHASE=ingestion|transformation|calculation|output" >&2; exit 64; }
	PIPELINE_ENV=development $(BIN)/tapewatch stress --phase "$(PHASE)" --loans "$(LOANS)"

.PHONY: soak
soak: $(VENV)/.dev $(NODE_MODULES) ## the long trials, and many more of the randomized: make soak TRIALS=1000
	mkdir -p data
	MUTANT_JOURNAL=$${MUTANT_JOURNAL:-data/soak-mutants.jsonl} \
	TRIAL_JOURNAL=$${TRIAL_JOURNAL:-data/soak-trials.jsonl} \
	$(PYTEST) -m "slow or soak" --trials $(TRIALS)

SECRETS := .secrets.baseline

.PHONY: secret-scan
secret-scan: $(VENV)/.dev ## no key, token or password in what git tracks, but those known to be none
	git ls-files -z | grep -zvE '^(requirements.*\.txt|.*package-lock\.json|grafana/dashboards/.*)$$' \
		| xargs -0 $(BIN)/detect-secrets-hook --baseline $(SECRETS)

.PHONY: secret-baseline
secret-baseline: $(VENV)/.dev ## take what secret-scan finds now as no secrets: look at each before
	$(BIN)/detect-secrets scan --plugin .ci/secret_patterns.py \
		--exclude-files '^(requirements.*\.txt|.*package-lock\.json|grafana/dashboards/.*)$$' \
		| sed 's|"file://.*/\.ci/|"file://.ci/|' > $(SECRETS)

.PHONY: dependency-audit
dependency-audit: $(VENV)/.dev ## known weaknesses of what the lock names; "not run" without advisories
	$(BIN)/python -m deployments.dependency_audit

.PHONY: sbom
sbom: $(VENV)/.dev ## dist/sbom.json: everything the product is made of, in CycloneDX
	mkdir -p dist
	$(BIN)/cyclonedx-py requirements --output-reproducible --output-file dist/sbom.json requirements.txt

.PHONY: audit-code
audit-code: check secret-scan sbom dependency-audit ## every check of the code and of what it is built on

.PHONY: upgrade
upgrade: ## newest versions of everything, then the whole of quality
	$(MAKE) lock LOCK_ARGS=--upgrade
	$(MAKE) quality

.PHONY: install
install: $(VENV)/.run ## what production runs, at its locked versions

.PHONY: install-dev
install-dev: $(VENV)/.dev $(NODE_MODULES) ## everything the other targets need

.PHONY: lock
lock: $(VENV)/.uv ## compile both lock files from pyproject.toml (LOCK_ARGS=--upgrade for the newest)
	$(COMPILE) $(LOCK_ARGS) --output-file requirements.txt pyproject.toml
	$(COMPILE) $(LOCK_ARGS) --extra dev --constraint requirements.txt --output-file requirements-dev.txt pyproject.toml

.PHONY: docs
docs: $(VENV)/.run ## generate docs/kpis.md and docs/metrics.md from what they describe
	$(BIN)/python -m deployments.kpi_page
	$(BIN)/python -m deployments.metrics_page

.PHONY: dashboards
dashboards: $(VENV)/.dev ## build grafana/dashboards/*.json from the catalogue
	$(BIN)/python -m grafana.dashboards

.PHONY: clean
clean: ## remove the environment and every cache (data/ and logs/ stay)
	rm -rf $(VENV) $(REST)/node_modules .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage htmlcov dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ------------------------------------------------------------------ the environment, one stamp a step

$(VENV)/.uv:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' || { \
		echo "Tapewatch needs Python 3.11 to 3.14, and $(PYTHON) is none: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
		echo "$(PYTHON) cannot make a virtual environment: install its venv module (Debian: apt install python3-venv)" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check '$(UV_VERSION)'
	@touch $@

$(VENV)/.run: requirements.txt pyproject.toml | $(VENV)/.uv
	$(LOCKED) -r requirements.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	$(LOCKED) -r requirements-dev.txt
	@touch $@

$(NODE_MODULES): $(REST)/package-lock.json
	@if ! command -v npm >/dev/null; then \
		echo "npm is not installed: the tests that need Node will skip and say so"; \
	else \
		npm ci --prefix $(REST) --ignore-scripts --no-audit --no-fund --loglevel=error && touch $@; \
	fi
