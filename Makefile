# Everything a developer does. `make` alone lists it. No target needs root, or any network but the package index (e2e,
# bench and hygiene also the Go module proxy; hygiene asks OSV, if it can; image also Debian's mirrors, and root, where
# it is given no bases).

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SUPPORTED := 3.11 3.12 3.13

export UV_PYTHON_DOWNLOADS := never

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint fmt chart image sbom e2e attacks bench faults fuzz hygiene soak clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The environment follows the lock file: by uv where it is there, else by the uv that pip puts into the environment.
$(VENV)/.locked: uv.lock pyproject.toml
	@if command -v uv >/dev/null 2>&1; then \
		UV_PROJECT_ENVIRONMENT=$(VENV) uv sync --quiet --frozen --all-extras --python "$$(command -v $(PYTHON))"; \
	else \
		$(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet --disable-pip-version-check uv && \
		UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/uv sync --quiet --frozen --inexact --all-extras --python $(BIN)/python; \
	fi
	@touch $@

demo: $(VENV)/.locked ## Show denials, warnings and admissions on this machine, without a cluster
	@$(BIN)/podgate demo

# A test that hangs is shown with what each thread was about, and ends.
NO_HANGING := -o faulthandler_timeout=300 -o faulthandler_exit_on_timeout=true

test: $(VENV)/.locked ## Run the tests (no cluster, no Go, no root; HYPOTHESIS_PROFILE=thorough: more examples)
	$(BIN)/python -m pytest -n 2 --dist worksteal $(NO_HANGING)

test-all: ## Run the tests under every supported Python that is installed
	@for version in $(SUPPORTED); do \
		if python$$version -c '' 2>/dev/null; then \
			echo "== Python $$version"; $(MAKE) --no-print-directory test PYTHON=python$$version VENV=.venv-$$version || exit 1; \
		else \
			echo "== Python $$version is not installed: passed over"; \
		fi; \
	done

lint: $(VENV)/.locked ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(VENV)/.locked ## Format the code
	$(BIN)/ruff check --fix --exit-zero --quiet .
	$(BIN)/ruff format .

chart: $(VENV)/.locked ## Make the chart's settings, schema and table of values anew
	$(BIN)/python -m tests.support.chart

image: ## Build the image for amd64 and arm64 by buildah, into build/image (PLATFORMS=, BASE= and BUILD_BASE=)
	@image/build.sh build/image

sbom: $(VENV)/.locked ## Make the image's bill of materials, build/sbom.cdx.json (CycloneDX), from the lock file
	@mkdir -p build && $(BIN)/python image/sbom.py >build/sbom.cdx.json && echo build/sbom.cdx.json

# What the Dockerfile's first stage installs; made anew when uv.lock changes, and a test compares.
image/tools.txt: uv.lock | $(VENV)/.locked
	$(BIN)/uv export --quiet --frozen --only-group image --no-emit-project --no-annotate --no-header \
		--format requirements.txt --output-file $@

e2e: $(VENV)/.locked ## Run a real Kubernetes control plane, registry, kubectl and helm against podgate (needs Go)
	@$(BIN)/python -m tests.e2e.harness.components >/dev/null
	$(BIN)/python -m pytest tests/e2e -n 2 --dist loadfile

faults: $(VENV)/.locked ## Ask podgate about registries with every fault, print its answers (WRITE=1: into docs/reliability.md)
	@$(BIN)/python -m tests.faults $(if $(WRITE),--write)

attacks: $(VENV)/.locked ## Attack podgate in all ways of docs/threat-model.md
	$(BIN)/python -m pytest tests/attacks -n 2 --dist loadfile $(NO_HANGING)

bench: $(VENV)/.locked ## Print what podgate costs, as counts and ratios (needs Go; SHORT=1, WRITE=1: into docs/performance.md)
	$(BIN)/python -m tests.bench $(if $(SHORT),--short) $(if $(WRITE),--write docs/performance.md)

soak: $(VENV)/.locked ## Load podgate for MINUTES= while all around it changes (needs Go; WRITE=1: into docs/reliability.md)
	$(BIN)/python -m tests.soak $(or $(MINUTES),60) $(if $(WRITE),--write)

# The options of both parts. TARGET= runs the first alone, ORACLE= the second, TARGET= and ORACLE= both, SHORT=1 the first
# as CI does, WRITE=1 puts the first's figures into docs/fuzzing.md.
FUZZ = $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED)) $(if $(FRESH),--fresh)
DAMAGED = $(FUZZ) $(if $(TARGET),--target $(TARGET)) $(if $(SHORT),--short) $(if $(WRITE),--write)
COMPARED = $(FUZZ) $(if $(ORACLE),--oracle $(ORACLE))

fuzz: $(VENV)/.locked ## Damage inputs and see that laws hold; compare with the Go originals (TARGET=, ORACLE=, COUNT=, SHORT=1)
	@$(if $(if $(ORACLE),$(TARGET),all),$(BIN)/python -m tests.fuzz $(DAMAGED),:)
	@$(if $(or $(ORACLE),$(if $(TARGET)$(SHORT),,all)),$(BIN)/python -m tests.oracles.fuzz $(COMPARED),:)

hygiene: $(VENV)/.locked ## Look at licences, known vulnerabilities, secrets, paths, the wheel, the lock file (ONLY=; needs Go, network)
	@$(BIN)/python -m tests.hygiene $(ONLY)

clean: ## Remove environments, caches and build results
	rm -rf .venv .venv-* dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache bench.json
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
