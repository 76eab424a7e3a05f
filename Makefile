PYTHON := .venv/bin/python

.PHONY: up-services down

up-services:  ## start PostgreSQL, Redis and Kafka without Airflow
	@$(PYTHON) -m deploy.local up-services

down:  ## stop everything
	@$(PYTHON) -m deploy.local down
