"""Pages from templates. What comes from data is escaped."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, **values: Any) -> str:
    """Fill in a template.

    template (str): Its file name.
    **values (Any): What it shows.
    RETURNS (str): The page.
    """
    return TEMPLATES.get_template(template).render(**values)
