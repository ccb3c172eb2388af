# The developer's interface; CI uses the same targets. Needed beforehand: Python 3.11 or newer and make.
# (Go only where the official releases of Kubernetes, etcd and OPA cannot be reached.)

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
# Kubernetes' own programs of the tests may take twice the memory: it saves a tenth of all processor time.
PYTEST := GOGC=$(or $(GOGC),400) $(BIN)/python -m pytest
# Suites that start control planes. The two long ones are each spread over as many processes as there are
# processors, or one more, a file to one of them, the longest first; the others run side by side, each in a process of its own.
SPREAD := tests/e2e tests/integration/cassandra
LONGEST := $(addprefix tests/,e2e/test_crashes.py e2e/test_story.py \
	$(addprefix integration/cassandra/,test_life.py test_replacements.py test_tasks.py test_stories.py))
FILES = $(filter $1/%,$(LONGEST)) $(filter-out $(LONGEST),$(sort $(wildcard $1/test_*.py)))
SUITES := tests/conformance tests/crash $(filter-out $(SPREAD),$(sort \
	$(patsubst %/conftest.py,%,$(wildcard tests/integration/*/conftest.py)) \
	tests/integration/local tests/integration/runtime))
INTEGRATION := $(filter tests/integration/%,$(SUITES))
JOBS ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
WORKERS = $(JOBS)
# its tests wait for nodes half of the time
spread/tests/integration/cassandra: WORKERS = $(shell expr $(JOBS) + 1)
ALL_OF = $(MAKE) --no-print-directory --keep-going --jobs=1
SIDE_BY_SIDE = $(MAKE) --no-print-directory --keep-going --jobs=$(JOBS) $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
# Tests that compare with recorded behaviour of the upstream operators read it from this folder.
export GOLDENS ?=

.DEFAULT_GOAL := help
.PHONY: help setup binaries test lint types unit integration conformance e2e side-by-side benchmark crash soak fuzz \
	generate demo demo-down lock

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.ready ## Prepare the virtual environment; leaves the command at .venv/bin/missioncontrol

.venv/.ready: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Mission Control needs Python 3.11 or newer; none was found (set PYTHON=/path/to/python3)." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) lacks the venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Preparing .venv from requirements.lock"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

binaries: setup ## Fetch or build kube-apiserver, etcd, kubectl, opa … into the cache
	@$(BIN)/missioncontrol local binaries

test: setup binaries lint types unit ## Lint, types, unit, integration, conformance and end-to-end tests
	@+$(ALL_OF) $(SPREAD:%=spread/%) side-by-side

lint: setup ## Style, layer rules, and that generated files are up to date
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python -m missioncontrol.api.emit --check

types: setup ## mypy --strict
	$(BIN)/mypy

unit: setup ## Pure logic: fast, no processes
	$(PYTEST) tests/unit -n auto

integration: setup binaries spread/tests/integration/cassandra ## Each part against real kube-apiservers
	@+$(SIDE_BY_SIDE) $(INTEGRATION:%=suite/%)

conformance: setup binaries ## The same requests to our API and to a custom resource: no client can tell them apart
	KUBECTL=all $(PYTEST) tests/conformance -q

e2e: setup binaries spread/tests/e2e ## The whole system, driven by kubectl

side-by-side:
	@+$(SIDE_BY_SIDE) $(SUITES:%=suite/%)

spread/%:
	@echo "$*"
	@$(PYTEST) $(call FILES,$*) -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations=10 --durations-min=5

suite/%:
	@echo "$*"
	@$(PYTEST) $* -q --durations=3 --durations-min=5

benchmark: setup binaries ## Measure; the figures in docs/performance.md come from here
	$(PYTEST) tests/benchmarks -s

MINUTES ?= 10
EXAMPLES ?= 50
SEED ?= 1

soak: setup binaries ## Replicas restarted and killed at random under traffic (MINUTES=10 SEED=1)
	SOAK_MINUTES=$(MINUTES) SOAK_SEED=$(SEED) $(PYTEST) tests/integration/extension/test_replicas.py -s --timeout=0

fuzz: setup binaries ## Requests made from the OpenAPI document and from nothing, many of them (EXAMPLES=50)
	FUZZ_EXAMPLES=$(EXAMPLES) $(PYTEST) tests/integration/apiserver/test_garbage.py tests/integration/apiserver/test_schema_fuzz.py \
		-s --timeout=0

crash: setup binaries ## End cass-operator at every write and call in turn, and in bad weather (half an hour)
	CRASH=all $(PYTEST) tests/crash -s --timeout=3600

generate: setup ## Write everything that is generated from missioncontrol/api
	$(BIN)/python -m missioncontrol.api.emit
	$(BIN)/python -m tests.conformance.report

demo: setup binaries ## Start a control plane and two data planes, and play the story
	@$(BIN)/missioncontrol demo

demo-down: setup ## End what `make demo` left running
	@$(BIN)/missioncontrol local down

lock: setup ## Resolve the dependencies anew into requirements.lock (needs uv)
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-header --upgrade -q -o requirements.lock
