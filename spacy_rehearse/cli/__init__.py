"""`python -m spacy rehearse`: the commands."""

import typer
from spacy.cli._util import app

rehearse_cli = typer.Typer(
    name="rehearse",
    help="Fine-tune an entity recogniser without forgetting (spacy-rehearse).",
    no_args_is_help=True,
)
app.add_typer(rehearse_cli)

# The modules register their commands when they are imported.
from . import annotate, compare, convert, evaluate, init_config, interpolate  # noqa: E402, F401
