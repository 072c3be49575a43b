"""Every name in setup.cfg resolves, and the README lists just these."""

import configparser
import re
from pathlib import Path

import pytest
import spacy
from spacy.util import registry

ROOT = Path(__file__).parents[1]


def entry_points():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf8")
    for group, lines in setup["options.entry_points"].items():
        for line in lines.strip().splitlines():
            name, target = (part.strip() for part in line.split(" = "))
            yield group, name, target


@pytest.mark.parametrize("group,name,target", list(entry_points()))
def test_registry_resolves_without_code(group, name, target):
    if group == "spacy_factories":
        assert spacy.blank("xx").add_pipe(name).name == name
    elif group != "spacy_cli":
        found = registry.get(group.partition("_")[2], name)
        assert f"{found.__module__}:{found.__name__}" == target


def test_registry_names_follow_the_pattern_and_the_readme_lists_them():
    names = {n for g, n, _ in entry_points() if g != "spacy_cli"} - {"rehearsal"}
    assert all(re.fullmatch(r"spacy-rehearse\.\w+\.v\d+", name) for name in names)
    readme = (ROOT / "README.md").read_text(encoding="utf8")
    table = set(re.findall(r"^\| `(spacy-rehearse\.[^`]+)`", readme, re.MULTILINE))
    assert table == names


def test_registry_version_is_one():
    import spacy_rehearse

    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf8")
    assert f"## {spacy_rehearse.__version__}" in changelog
