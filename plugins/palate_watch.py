"""The watch by the name that starts it: ``python -m palate_watch``."""

import sys

from palate_airflow.watch import main

if __name__ == "__main__":
    sys.exit(main())
