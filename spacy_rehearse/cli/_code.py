"""Code of the user's own, which pipelines and configs may need: as in `spacy train`."""

from pathlib import Path
from typing import Any, Optional

from spacy.cli._util import Opt, import_code


def _import(path: Optional[Path]) -> Optional[Path]:
    import_code(path)
    return path


CODE: Any = Opt(
    None,
    "--code",
    help="Python file with functions that pipeline or config need, e.g. components of your own",
    callback=_import,
)
