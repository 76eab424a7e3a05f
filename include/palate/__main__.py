"""`python -m palate`: the command ``palate``."""

from palate.cli import app

app(prog_name="palate")
