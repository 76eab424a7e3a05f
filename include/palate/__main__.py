"""`python -m palate`: the command ``palate``."""

from palate.cli.app import app

app(prog_name="palate")
