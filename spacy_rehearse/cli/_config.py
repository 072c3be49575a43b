"""A config that a command was given."""

from pathlib import Path
from typing import Any, Dict

from spacy.util import load_config
from thinc.api import Config, ConfigValidationError


def read_config(path: Path, overrides: Dict[str, Any], *, interpolate: bool) -> Config:
    """Read a config.

    path (Path): The file.
    overrides (Dict[str, Any]): Settings to replace, by dotted name.
    interpolate (bool): Whether variables get their values.
    RETURNS (Config): The config.
    RAISES (ValueError): If it can't be read, naming the file.
    """
    try:
        return load_config(path, overrides=overrides, interpolate=interpolate)
    except ConfigValidationError as e:
        raise ConfigValidationError.from_error(e, title=str(path)) from e
    except UnicodeDecodeError as e:
        raise ValueError(f"{path} is no config: not text in UTF-8 ({e})") from e
