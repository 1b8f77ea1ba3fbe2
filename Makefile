# Every target brings about the virtual environment it needs; `make` alone prints this help.
PYTHON ?= python3
VENV := .venv
ENGINES := .venv-engines
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install --constraint constraints.txt
SOURCES := domain application adapters infrastructure entrypoints tests
export PYTHONDONTWRITEBYTECODE ?=

.DEFAULT_GOAL := help
.PHONY: help setup run check lint test test-engines bench clean

help: ## print this help
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## make the virtual environment in .venv with the default install

run: $(VENV)/.ready ## start the service on 127.0.0.1:8000 and print a fresh API key
	@exec $(BIN)/colloquy serve --issue-key

check: lint ## the gate: format, lint, types, import contracts, dependencies, fast tests
	@$(BIN)/pytest -q -m "not slow and not bench"

lint: $(VENV)/.ready-dev
	@$(BIN)/ruff format --check --quiet . || { echo "run: $(BIN)/ruff format ."; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache >$(VENV)/contracts.log || { cat $(VENV)/contracts.log; exit 1; }
	@$(BIN)/deptry . >$(VENV)/deptry.log 2>&1 || { cat $(VENV)/deptry.log; exit 1; }

# Those marked `patient` wait for leases and deadlines most of the time, so they run beside the others, not after them.
test: lint espeak curl postgres brokers faketime iproute kubectl prometheus ## everything that `check` does, and the slow tests too
	@$(BIN)/pytest -q -m "patient and not bench" --durations=15 --cache-clear -o cache_dir=$(VENV)/patient >$(VENV)/patient.log 2>&1 & beside=$$!; \
	  $(BIN)/pytest -q -m "not bench and not patient" --durations=15 --cache-clear -o cache_dir=$(VENV)/others; others=$$?; \
	  wait $$beside; patient=$$?; cat $(VENV)/patient.log; \
	  [ $$others != 1 ] || { $(BIN)/python -m tests.alone $(VENV)/others; others=$$?; }; \
	  [ $$patient != 1 ] || { $(BIN)/python -m tests.alone $(VENV)/patient; patient=$$?; }; \
	  exit $$((others || patient))

test-engines: $(ENGINES)/.ready espeak ## the tests of engines that need an extra, in .venv-engines (6 GB, minutes to install)
	@$(ENGINES)/bin/pytest -q -m "not bench" --durations=15 --cache-clear -o cache_dir=$(ENGINES)/cache tests/engines; status=$$?; \
	  [ $$status != 1 ] || { $(ENGINES)/bin/python -m tests.alone $(ENGINES)/cache; status=$$?; }; exit $$status

bench: $(VENV)/.ready-dev ## measure, and write BENCHMARKS.md (BENCH=--quick is short; COLLOQUY_TEST_SPEECH adds real speech)
	@$(BIN)/python -m tests.bench.report $(BENCH)

clean: ## remove the virtual environment and caches (never your data)
	@rm -rf $(VENV) $(ENGINES) .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info

.PHONY: espeak
espeak: # the conversations of the end-to-end tests are spoken by espeak-ng
	@command -v espeak-ng >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get -qq update && apt-get -qq install -y espeak-ng >/dev/null; } \
	  || { echo "the tests speak with espeak-ng: apt-get install espeak-ng"; exit 1; }

.PHONY: curl
curl: # examples are typed as people type them
	@command -v curl >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get -qq update && apt-get -qq install -y curl >/dev/null; } \
	  || { echo "the tests run examples with curl: apt-get install curl"; exit 1; }

.PHONY: iproute
iproute: # a network in which every packet is heard is set up with ip
	@command -v ip >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get -qq update && apt-get -qq install -y iproute2 >/dev/null; } \
	  || { echo "the tests set up networks with ip: apt-get install iproute2"; exit 1; }

.PHONY: kubectl
kubectl: $(VENV)/.ready-dev # manifests are rendered by its kustomize, which asks no cluster; Debian 12 packages one that is too old
	@kubectl kustomize --help >/dev/null 2>&1 || test -x $(BIN)/kubectl || $(BIN)/python -m tests.kubernetes.fetch_kubectl $(BIN)/kubectl \
	  || { echo "the tests render the manifests with kubectl, 1.21 or newer: https://kubernetes.io/docs/tasks/tools/"; exit 1; }

.PHONY: prometheus
prometheus: # alerts are tried by promtool, and by servers that the tests start
	@{ command -v promtool && command -v amtool && command -v prometheus-alertmanager; } >/dev/null \
	  || { [ "$$(id -u)" = 0 ] && apt-get -qq update && apt-get -qq install -y prometheus prometheus-alertmanager >/dev/null; } \
	  || { echo "the tests try alerts with Prometheus: apt-get install prometheus prometheus-alertmanager"; exit 1; }

.PHONY: faketime
faketime: # a process at a time is told a wrong time by libfaketime
	@ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 \
	  || { [ "$$(id -u)" = 0 ] && apt-get -qq update && apt-get -qq install -y faketime >/dev/null; } \
	  || { echo "the tests turn clocks with libfaketime: apt-get install faketime"; exit 1; }

.PHONY: postgres
postgres: # the tests start a PostgreSQL server of their own, from the installed programs
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null \
	  || { [ "$$(id -u)" = 0 ] && apt-get -qq update && apt-get -qq install -y postgresql >/dev/null; } \
	  || { echo "the tests start a PostgreSQL server: apt-get install postgresql"; exit 1; }

# Debian's packages may start servers of their own; the tests use neither those nor their ports.
.PHONY: brokers
brokers: # the tests start Redis and RabbitMQ servers of their own, from the installed programs
	@{ command -v redis-server >/dev/null && test -x /usr/lib/rabbitmq/bin/rabbitmq-server; } \
	  || { [ "$$(id -u)" = 0 ] && apt-get -qq update && apt-get -qq install -y redis-server rabbitmq-server >/dev/null; } \
	  || { echo "the tests start Redis and RabbitMQ: apt-get install redis-server rabbitmq-server"; exit 1; }

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { rm -rf $(VENV); \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get -qq update && apt-get -qq install -y python3-venv >/dev/null \
	  && $(PYTHON) -m venv $(VENV); } \
	  || { echo "Python's venv module is missing: apt-get install python3-venv"; exit 1; }

$(VENV)/.ready: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing (about a minute, under 1 GB) ..."
	@$(PIP) --editable .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	@$(PIP) --editable '.[dev]'
	@touch $@

# Nothing but pip is needed to make it, and that comes with the first environment's Python.
$(ENGINES)/.ready: $(VENV)/bin/python pyproject.toml constraints.txt constraints-engines.txt
	@test -x $(ENGINES)/bin/python || $(VENV)/bin/python -m venv $(ENGINES)
	@echo "Installing torch and the engines' extras (6 GB, three to four minutes) ..."
	@$(ENGINES)/bin/python -m pip --quiet --disable-pip-version-check install \
	  --constraint constraints.txt --constraint constraints-engines.txt --editable '.[dev,engines,pyannote,sherpa]'
	@touch $@
