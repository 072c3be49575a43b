"""Lists that a command was given, separated by commas."""

from typing import List, Optional

from spacy.cli._util import string_to_list


def items_of(given: Optional[str]) -> List[str]:
    """RETURNS (List[str]): What is between the commas, where anything is."""
    return [item for item in string_to_list(given or "") if item]
