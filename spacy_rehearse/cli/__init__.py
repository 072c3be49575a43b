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
from . import (  # noqa: E402
    annotate,  # noqa: F401
    check,  # noqa: F401
    compare,  # noqa: F401
    convert,  # noqa: F401
    evaluate,  # noqa: F401
    init_config,  # noqa: F401
    interpolate,  # noqa: F401
)
