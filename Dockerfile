# Palate on Airflow's image: every part of Airflow, and the command `palate`. What is
# installed stands in requirements.txt alone; `make pin` brings the version below along.
FROM apache/airflow:slim-3.3.2-python3.11

# The packages first: they change less often than the code.
COPY requirements.txt /tmp/requirements.txt
RUN pip install --no-cache-dir --require-hashes --requirement /tmp/requirements.txt

WORKDIR /opt/airflow
ENV PYTHONPATH=/opt/airflow/include:/opt/airflow/plugins:/opt/airflow \
    PALATE_SECRETS=/opt/airflow/secrets \
    PALATE_VAR=/opt/airflow/var

# DAGs, plugins, library, SQL and docs are one version: none of them is mounted.
COPY deploy deploy
COPY sql sql
COPY include include
COPY plugins plugins
COPY dags dags
COPY docs docs
# Volumes take over the owner that their folder has here.
RUN printf '#!/bin/sh\nexec python -m palate "$@"\n' > /home/airflow/.local/bin/palate \
    && chmod +x /home/airflow/.local/bin/palate \
    && mkdir -p var logs secrets/kept secrets/postgres secrets/redis secrets/kafka \
        secrets/airflow secrets/owner secrets/simulator secrets/airline \
        secrets/airline-standby secrets/airline-simulator secrets/connect \
        secrets/intake secrets/intake-proxy files \
    && chmod -R g=u var logs secrets files

USER 50000:0
