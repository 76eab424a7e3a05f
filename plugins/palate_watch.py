"""The watch by its command: ``python -m palate_watch``."""

import sys

from palate_airflow.watch import main

if __name__ == "__main__":
    sys.exit(main())
