"""docker-compose.airflow.yaml: checked, and run without an engine.

| module | holds |
|---|---|
| ``docker_compose`` | the real docker-compose, built from its Go module |
| ``containers`` | starts services as an engine does: order, health, replicas, signals |
| ``bubble`` | one container: its files, user, host name and variables, by bubblewrap |
| ``images`` | what stands in for each image, and ``images/`` what its entrypoint does |
| ``shop`` | what people and the order service do with the running stack |
"""
