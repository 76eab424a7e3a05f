# Every target says what it does: make help
#
# Variables: PALATE_VAR (state folder, default ./var), PALATE_POSTGRES_PORT,
# PALATE_REDIS_PORT, PALATE_KAFKA_PORT, PALATE_KAFKA_CONTROLLER_PORT,
# PALATE_KAFKA_SECURED_PORT, PALATE_REDIS_SECURED_PORT, PALATE_AIRFLOW_PORT,
# PALATE_METRICS_PORT, PALATE_AIRLINE_PORT, PALATE_AIRLINE_STANDBY_PORT, PALATE_CONNECT_PORT,
# PALATE_INTAKE_PORT, PALATE_INTAKE_METRICS_PORT,
# PALATE_AREAS (food,flights starts the airline, too; food,files the intake),
# PALATE_STATSD, PALATE_OPENLINEAGE (who gets metrics and lineage), YES=1 (don't ask), PYTEST (arguments of pytest).
PYTHON := .venv/bin/python
STACK := $(PYTHON) -m deploy.local
PYTEST ?=
# Three processes, each with services of its own, since the end-to-end tests mostly wait;
# what shares a fixture stays together.
PARALLEL := -n 3 --dist loadscope --no-loadscope-reorder
OF_AREAS := tests/e2e/test_reviews.py
OF_PAGES := tests/browser/test_pages.py tests/browser/test_acts.py
# Measures the library in the processes that run the tests (tests/measured.py).
MEASURED := COVERAGE_PROCESS_START=$(CURDIR)/pyproject.toml
# What reads the code and the SQL instead of running it.
LINT_TESTS := tests/layout tests/sql/test_lint.py
PIN := uv pip compile -q --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help up up-services down status reset install install-dev lint test coverage test-areas test-cockpit test-backfill test-compose test-demo-files test-faults test-flights test-flights-faults test-intake test-s3 test-kubernetes test-metrics test-superset test-upgrade demo demo-flights demo-files bench docs pin

help:  ## show the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

up: install  ## install what is missing, start everything, wait until it answers
	@$(STACK) up

up-services: install  ## the same for PostgreSQL, Redis and Kafka only
	@$(STACK) up-services

down: $(PYTHON)  ## stop everything
	@$(STACK) down

status: $(PYTHON)  ## show each part: state, pid, uptime, port, whether it answers
	@$(STACK) status

reset: $(PYTHON)  ## stop everything and remove the local data (asks; YES=1 doesn't)
	@$(STACK) reset $(if $(YES),--yes)

install:
	@deploy/local/bootstrap.sh

install-dev:
	@deploy/local/bootstrap.sh dev

$(PYTHON):
	@deploy/local/bootstrap.sh

lint: install-dev  ## check style and types
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	PYTHONPATH=include .venv/bin/lint-imports --no-logo --no-cache
	.venv/bin/yamllint --strict .
	$(if $(wildcard $(LINT_TESTS)),$(PYTHON) -m pytest -q -n 2 $(LINT_TESTS))

test: lint  ## all tests but those of the targets below
	$(PYTHON) -m pytest $(PARALLEL) tests -m "not long" --ignore=tests/faults --ignore=tests/compose \
		--ignore=tests/superset --ignore=tests/demo --ignore=tests/flights --ignore=tests/intake --ignore=tests/upgrade --ignore=tests/metrics --ignore=$(OF_AREAS) $(OF_PAGES:%=--ignore=%) \
		$(LINT_TESTS:%=--ignore=%) $(PYTEST)
	$(PYTHON) -m pytest $(PARALLEL) tests/faults -m "not slow" $(PYTEST)

test-areas: install-dev  ## a second area, deployed into a running Airflow
	$(PYTHON) -m pytest $(OF_AREAS) $(PYTEST)

test-cockpit: install-dev  ## every page of the cockpit, and what is done there, in Airflow's UI by a browser
	$(PYTHON) -m pytest $(OF_PAGES) $(PYTEST)

coverage: install-dev  ## which branches of the library the tests of the library run
	rm -rf var/coverage
	$(MEASURED) $(PYTHON) -m pytest $(PARALLEL) $$($(PYTHON) -m tests.measured) $(PYTEST)
	@$(PYTHON) -m tests.coverage_report --missing

test-compose: install-dev  ## docker-compose.airflow.yaml: checked, and run without an engine
	$(PYTHON) -m tests.compose.docker_compose
	unshare --map-root-user --net --fork --kill-child \
		$(PYTHON) -m pytest tests/compose $(PYTEST)

test-faults: install-dev  ## all faults; writes docs/reliability.md (half an hour)
	PALATE_FAULTS_REPORT=docs/reliability.md $(PYTHON) -m pytest $(PARALLEL) tests/faults \
		--ignore=tests/faults/test_backfill.py $(PYTEST)

test-flights: install-dev  ## the airline, its standby and its connector: what holds whatever dies
	$(PYTHON) -m pytest tests/flights -m "not long" $(PYTEST)

test-flights-faults: install-dev  ## its long faults: another cluster, much lost, and all is equal again
	$(PYTHON) -m pytest tests/flights tests/areas/flights -m long $(PYTEST)

test-intake: install-dev  ## the service that partners send files to: its door, its stores, whoever is killed
	$(PYTHON) -m pytest tests/intake -m "not s3" $(PYTEST)

test-s3: install-dev  ## its store behind a real S3 server, which Go builds once
	$(PYTHON) -m pytest tests/intake -m s3 $(PYTEST)

test-demo-files: install-dev  ## make demo-files with an Airflow of its own, parts of it killed amid the work
	$(PYTHON) -m pytest tests/demo $(PYTEST)

test-backfill: install-dev  ## a day of 50,000 orders, looked at again beside live ones (PALATE_TEST_ORDERS)
	$(PYTHON) -m pytest -s tests/faults/test_backfill.py $(PYTEST)

test-upgrade: install-dev  ## an older version, stopped amid its work, is upgraded to this one (PALATE_UPGRADE_FROM)
	$(PYTHON) -m pytest -sv tests/upgrade $(PYTEST)

test-metrics: install-dev  ## a Prometheus, downloaded from Debian, scrapes the watch and the intake: alerts and dashboards
	$(PYTHON) -m pytest tests/metrics $(PYTEST)

test-kubernetes: install-dev  ## the values through Airflow's chart: CHART=<airflow-1.22.0.tgz>; builds Helm
	@[ -n "$(CHART)" ] || { echo "CHART=<file>: helm pull airflow --version 1.22.0 --repo https://airflow.apache.org"; exit 2; }
	PALATE_CHART=$(CHART) $(PYTHON) -m pytest tests/kubernetes $(PYTEST)

test-superset: install-dev  ## the dashboard for Superset: installed, imported, drawn, compared with SQL
	$(PYTHON) -m pytest -sv tests/superset $(PYTEST)

demo: up  ## a week of orders and a live trickle, from Kafka to the marts
	@$(PYTHON) -m deploy.local.demo

demo-flights: export PALATE_AREAS = food,flights
demo-flights: up  ## an airline with its standby and connector, a minute of it, and the mart compared with it
	@$(PYTHON) -m deploy.local.demo_flights

demo-files: export PALATE_AREAS = food,files
demo-files: up  ## two companies send good files and bad ones; each answer, event, row and problem
	@$(PYTHON) -m deploy.local.demo_files

bench: install-dev  ## measure, and write a table to bench/results
	$(PYTHON) -m bench

docs: install-dev  ## write docs/commands.md anew, from the commands themselves
	$(PYTHON) -m tests.layout.commands > docs/commands.md

pin: export PATH := $(CURDIR)/.venv/bin:$(PATH)
pin: install-dev  ## compile requirements*.txt from requirements*.in; bring the Dockerfile along
	$(PIN) requirements.in -o requirements.txt
	$(PIN) requirements-dev.in -o requirements-dev.txt
	$(PIN) requirements-build.in -o requirements-build.txt
	$(PIN) deploy/superset/requirements.in -o deploy/superset/requirements.txt
	sed -i "s/slim-[0-9.]*-/slim-$$(sed -n 's/^apache-airflow==\([0-9.]*\).*/\1/p' requirements.txt)-/" Dockerfile
