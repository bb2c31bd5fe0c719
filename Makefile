# What a person or a machine does with this project, one target each. Bare `make` explains itself.

KCB_HOME ?= data
DATE ?= $(shell TZ=Asia/Shanghai date +%F)
PYTHON ?= python3
VENV ?= .venv
CHILDREN ?= 20000
SIZES ?= 100k 1m

BIN := $(VENV)/bin
KCB := KCB_HOME=$(KCB_HOME) $(BIN)/kcb

# Compiled files are what makes the second start fast; some machines switch them off for every program.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help nightly ui test soak lint spark bench bench-province lock audit clean

help: ## Show this
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\n  KCB_HOME=%s  DATE=%s  (set them on the command line to change them)\n' "$(KCB_HOME)" "$(DATE)"

nightly: $(VENV)/.runtime ## Run one night; writes a made-up county's extracts if the date has none
	@$(KCB) sample $(KCB_HOME) --children $(CHILDREN) --date $(DATE) --if-missing
	@$(KCB) run --date $(DATE)

ui: $(VENV)/.runtime ## Start Dagster's web interface on http://127.0.0.1:3000
	@mkdir -p $(KCB_HOME)/dagster
	KCB_HOME="$(abspath $(KCB_HOME))" KCB_DAGSTER_STATE="$(abspath $(KCB_HOME))/dagster" DAGSTER_HOME="$(CURDIR)" \
		$(BIN)/dagster dev -w workspace.yaml -h 127.0.0.1 -p 3000

# In the order of the tree: nights are run first, and the many small tests fill up what is left at the end.
test: $(VENV)/.dev ## Run the tests
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

soak: $(VENV)/.dev ## Do every fault to every stage and hundreds of kills (hours), and write docs/reliability.md
	$(BIN)/python -m tests.soak
	$(BIN)/python docs/generate.py

lint: $(VENV)/.dev ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

spark: $(VENV)/.installer requirements/spark.lock ## Install what engine = "spark" needs (docs/spark.md)
	$(call add,spark)

bench: $(VENV)/.dev ## Measure the matching beside Splink on the same data and write docs/benchmarks.md
	test -x $(VENV)/rivals/bin/python || $(PYTHON) -m venv $(VENV)/rivals
	$(VENV)/rivals/bin/pip install --quiet --disable-pip-version-check -r benchmarks/requirements.in
	$(BIN)/python -m benchmarks --rivals $(VENV)/rivals/bin/python --febrl $(VENV)/rivals

bench-province: $(VENV)/.dev ## Measure a province's night beside DuckDB's raw reading of the same files and write docs/benchmarks.md
	$(BIN)/python -m benchmarks.province_night $(SIZES)

lock: $(VENV)/.dev ## Pin all requirements anew, with hashes
	cd requirements && for name in installer runtime postgres spark dev; do \
		UV_NO_CONFIG=1 ../$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-strip-extras \
			--no-emit-index-url --no-header --no-annotate --quiet $$name.in -o $$name.lock; done
	$(BIN)/python docs/licences.py

audit: $(VENV)/.dev ## Ask the public databases of vulnerabilities about everything pinned (needs the network)
	test -x $(VENV)/audit/bin/pip-audit || { $(PYTHON) -m venv $(VENV)/audit && \
		$(VENV)/audit/bin/pip install --quiet --disable-pip-version-check pip-audit==2.10.1; }
	for name in installer runtime postgres spark dev; do $(VENV)/audit/bin/pip-audit --strict --disable-pip --require-hashes -r requirements/$$name.lock || exit 1; done

clean: ## Remove the environment and caches (never the data)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist

# -- the environment ---------------------------------------------------------------------------------------------------
# uv installs in seconds what takes pip a minute; where it cannot reach the registry that pip is set up for, pip does it.
# Bytecode is compiled there and then, as pip does: where Python may not write it, each of a night's programs would compile Dagster anew.

$(VENV)/.installer: requirements/installer.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/installer.lock
	@touch $@

define add
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/$(1).lock \
		|| $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/$(1).lock
endef

define install
	$(call add,$(1))
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
endef

$(VENV)/.runtime: $(VENV)/.installer requirements/runtime.lock pyproject.toml
	$(call install,runtime)
	@touch $@

$(VENV)/.dev: $(VENV)/.installer requirements/runtime.lock requirements/dev.lock pyproject.toml
	$(call install,dev)
	@touch $@ $(VENV)/.runtime
