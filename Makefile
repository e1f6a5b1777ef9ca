# Bloodhound. `make help` lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:

VENV := .venv
BIN := $(VENV)/bin
# Any Python from 3.11: name another by `make setup PYTHON=python3.13`.
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(if $(shell command -v $(name)),$(name))))
INSTALLED := $(VENV)/installed.txt
SPARK_INSTALLED := $(VENV)/installed-spark.txt
# What takes long shows how far it is, to people alone.
QUIET := $(shell test -t 2 || echo --quiet)
# Tests at a time, a file each; 0 is one after the other in one process.
JOBS ?= 2
# The tests that need neither dbt nor Airflow nor a browser.
FAST := tests/vocabulary tests/lake tests/formats tests/enrich tests/whole/test_houserules.py tests/whole/test_links.py
# The folders of a run, when given.
FOLDERS = $(if $(INBOX),--inbox "$(INBOX)") $(if $(HOME_DIR),--home "$(HOME_DIR)")

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(INSTALLED) ## Install the pinned dependencies into .venv

# uv is told what pip was configured with.
define UV_SETTINGS
pip_setting() { $(BIN)/python -m pip config get "$$1" 2>/dev/null | tr '\n' ' ' || true; }
index=$$(pip_setting global.index-url); extra=$$(pip_setting global.extra-index-url)
links=$$(pip_setting global.find-links); cert=$$(pip_setting global.cert)
export UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$${index%% }}}"
export UV_INDEX="$${UV_INDEX:-$${PIP_EXTRA_INDEX_URL:-$$extra}}"
links="$${PIP_FIND_LINKS:-$$links}"; links="$${links%% }"
export UV_FIND_LINKS="$${UV_FIND_LINKS:-$${links// /,}}"
export SSL_CERT_FILE="$${SSL_CERT_FILE:-$${PIP_CERT:-$${cert%% }}}"
for name in UV_DEFAULT_INDEX UV_INDEX UV_FIND_LINKS SSL_CERT_FILE; do test -n "$${!name}" || unset "$$name"; done
endef

# pip brings uv, uv brings the rest ten times faster.
$(INSTALLED): requirements.txt
	@"$(PYTHON)" -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	echo "Installing into $(VENV) with $$("$(PYTHON)" --version)"
	# What an interrupted start left behind has no pip, one that is not whole, or a Python that is the machine's own.
	is_whole='import sys, pip._internal.cli.main; sys.exit(sys.prefix == sys.base_prefix)'
	$(BIN)/python -c "$$is_whole" >/dev/null 2>&1 || "$(PYTHON)" -m venv --clear $(VENV) >/dev/null || {
	  rm -rf $(VENV)
	  echo "bloodhound: $$("$(PYTHON)" --version) makes no virtual environment: apt-get install python3-venv" >&2
	  exit 2
	}
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -o '^uv==[^ ]*' requirements.txt)"
	$(UV_SETTINGS)
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip sync $(QUIET) --compile-bytecode --system-certs --index-strategy unsafe-best-match requirements.txt
	cp requirements.txt $@

.PHONY: setup-spark
setup-spark: $(SPARK_INSTALLED) ## Install the second engine too, for engine = "spark"

# What is synced above takes this away again, so it follows each time.
$(SPARK_INSTALLED): requirements-spark.txt $(INSTALLED)
	@java="$${JAVA_HOME:+$$JAVA_HOME/bin/}java"
	command -v "$$java" >/dev/null || { echo "bloodhound: Spark runs on Java 17 or newer, which is not there: apt-get install openjdk-17-jre-headless" >&2; exit 2; }
	echo "Installing Spark into $(VENV)"
	$(UV_SETTINGS)
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install $(QUIET) --compile-bytecode --system-certs --index-strategy unsafe-best-match --requirement requirements-spark.txt
	cp requirements-spark.txt $@

.PHONY: lock
lock: $(INSTALLED) ## Pin requirements.in again, keeping the pins that still fit
	@for name in requirements requirements-spark; do
	  $(BIN)/uv pip compile "$$name.in" --output-file "$$name.txt" --quiet --universal \
	    --python-version 3.11 --annotation-style line --custom-compile-command "make lock" $(LOCK_OPTIONS)
	done

.PHONY: run
run: setup ## Logs to marts through Airflow, once: [INBOX=logs HOME_DIR=results]
	@$(BIN)/python -m ops run $(FOLDERS)

.PHONY: up
up: setup ## Keep Airflow running, UI on loopback: [INBOX=logs HOME_DIR=results]
	@$(BIN)/python -m ops up $(FOLDERS)

.PHONY: down
down: setup ## Stop Airflow
	@$(BIN)/python -m ops down

# The page's side, bundled: exact versions, each by its hash, and no script of theirs runs at installation.
TRACKER := collector/page/built/bh.js
$(TRACKER): collector/page/package-lock.json collector/page/source/bh.js
	@command -v npm >/dev/null || { echo "bloodhound: the tracker is bundled by npm: apt-get install npm" >&2; exit 2; }
	cd collector/page
	npm ci --silent
	npm run --silent build

.PHONY: tracker
tracker: $(TRACKER) ## Bundle the page's tracker, by npm

.PHONY: collect
collect: setup $(TRACKER) ## Collect by nginx, on loopback: HOST=shop.example [INBOX=logs HOME_DIR=results]
	@test -n "$(HOST)" || { echo "bloodhound: say whose pages are counted: make collect HOST=shop.example" >&2; exit 2; }
	$(BIN)/python -m collector up $(foreach host,$(HOST),--host "$(host)") $(FOLDERS)

.PHONY: collect-down
collect-down: setup ## Stop collecting: [HOME_DIR=results]
	@$(BIN)/python -m collector down $(if $(HOME_DIR),--home "$(HOME_DIR)")

.PHONY: demo
demo: setup $(TRACKER) ## A shop, browsers, the collector, Airflow: truth against warehouse: [SHORT=1]
	@$(BIN)/python -m collector demo $(if $(SHORT),--short)

.PHONY: backfill
backfill: setup ## Do days again while Airflow is up: FROM=2026-03-01 TO=2026-03-07
	@test -n "$(FROM)" -a -n "$(TO)" || { echo "bloodhound: say which days: make backfill FROM=2026-03-01 TO=2026-03-07" >&2; exit 2; }
	$(BIN)/python -m ops backfill "$(FROM)" "$(TO)"

.PHONY: report
report: setup ## Make the page of the published warehouse: [HOME_DIR=results]
	@$(BIN)/python -m etl report $(if $(HOME_DIR),--home "$(HOME_DIR)")

.PHONY: explore
explore: setup ## Thirteen questions to begin with, in a notebook on loopback: [HOME_DIR=results]
	@$(if $(HOME_DIR),BLOODHOUND_HOME="$(HOME_DIR)") MARIMO_SKIP_UPDATE_CHECK=1 PYTHONPATH=. $(BIN)/marimo edit notebooks/explore.py

.PHONY: sql
sql: setup ## The published warehouse in a terminal, read-only: [HOME_DIR=results]
	@$(BIN)/harlequin --read-only "$(or $(HOME_DIR),data)/warehouse/bloodhound.duckdb"

.PHONY: query
query: setup ## Ask for metrics, or list them: [METRIC="revenue orders" BY="channel date" WHERE=channel=Email FROM=2026-03-01 TO=2026-03-07 CHANGES=1 HOME_DIR=results]
	@$(BIN)/python -m etl query $(METRIC) $(foreach name,$(BY),--by "$(name)") $(if $(WHERE),--where "$(WHERE)") \
	  $(if $(FROM),--from "$(FROM)") $(if $(TO),--to "$(TO)") $(if $(CHANGES),--changes) $(if $(HOME_DIR),--home "$(HOME_DIR)")

.PHONY: docs
docs: setup ## Make the pages of every model, column and schema, and of their lineage: [HOME_DIR=results]
	@$(BIN)/python -m etl docs $(if $(HOME_DIR),--home "$(HOME_DIR)")

.PHONY: check
check: lint-python ## In seconds: style, types and layers of Python, and the fast tests
	@$(BIN)/python -m pytest --quiet -n $(JOBS) --dist loadfile $(FAST)

.PHONY: test
test: lint ## Lint, types, and every test but the long ones
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

.PHONY: prove
prove: setup ## The long proofs: kills, shuffles, fuzz
	@$(BIN)/python -m pytest -m prove -n $(JOBS) --dist load --ignore tests/ops
	# One after the other: Airflow on a busy machine answers too late for them.
	$(BIN)/python -m pytest -m prove tests/ops

.PHONY: prove-spark
prove-spark: setup-spark ## The second engine: the same rows on a cluster of this machine, whatever is killed: [MESSAGES=1000000]
	@$(BIN)/python -m pytest tests/engines -m ""

.PHONY: mutate
mutate: setup ## Does a test notice when a line says something else? [ONLY=sessionize MOST=40 SEED=1 NAMED=1]
	@$(BIN)/python benchmarks/mutate.py --only "$(ONLY)" --most "$(or $(MOST),40)" --seed "$(or $(SEED),1)" $(if $(NAMED),--named)

.PHONY: lint-python
lint-python: setup
	@$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy etl dags ops plugins collector
	$(BIN)/lint-imports --no-logo || { echo "bloodhound: who may import whom stands in pyproject.toml" >&2; exit 1; }
	$(BIN)/deptry . --config .deptry.toml

.PHONY: lint
lint: lint-python ## Style, types and layers of Python, style of SQL
	@$(BIN)/sqlfluff lint --disable-progress-bar --processes 2 dbt_project
	$(BIN)/sqlfluff lint --disable-progress-bar --templater placeholder etl

.PHONY: format
format: setup ## Put Python and SQL into shape
	@$(BIN)/ruff check --quiet --fix .
	$(BIN)/ruff format --quiet .
	$(BIN)/sqlfluff fix --disable-progress-bar dbt_project
	$(BIN)/sqlfluff fix --disable-progress-bar --templater placeholder etl

.PHONY: clean
clean: ## Stop Airflow and remove caches and Airflow's home; data/ and .venv stay
	@test ! -x $(BIN)/python || $(BIN)/python -m ops down
	rm -rf .airflow .pytest_cache .mypy_cache .import_linter_cache .ruff_cache .hypothesis dbt_project/target dbt_project/logs
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf
