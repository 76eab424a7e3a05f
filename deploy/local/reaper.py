"""Kill what a killed part of Airflow leaves behind.

A scheduler that dies at once (kill -9, out of memory) leaves its workers: they would
wait forever, or go on with a task that the next scheduler starts again. supervisord
runs this as its event listener and restarts the part itself.
"""

import os
import signal
from contextlib import suppress

from supervisor import childutils


def main() -> None:
    """Wait for parts to exit and kill what is left of their process group."""
    while True:
        _headers, payload = childutils.listener.wait()
        event = childutils.get_headers(payload)
        if event["groupname"] == "airflow":
            # supervisord gives each part its own group; an empty one has ended.
            with suppress(ProcessLookupError):
                os.killpg(int(event["pid"]), signal.SIGKILL)
        childutils.listener.ok()


if __name__ == "__main__":
    main()
