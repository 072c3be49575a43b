"""`spacy project`: all that it declares is made, and a second run does nothing."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import spacy
import srsly
from spacy.tokens import DocBin
from typer.testing import CliRunner
from weasel.cli.document import project_document

from spacy_rehearse.demo.table import app, make_rows

from .util import make_docs

ROOT = Path(__file__).parents[1]
PROJECT = srsly.read_yaml(ROOT / "project.yml")


def test_project_every_command_has_help_deps_and_outputs():
    for command in PROJECT["commands"]:
        assert command["help"] and command["deps"] and command["outputs"]
        for dep in command["deps"]:
            if dep.startswith("spacy_rehearse/"):  # no folder: its __pycache__ changes
                assert (ROOT / dep).is_file()
    names = {command["name"] for command in PROJECT["commands"]}
    assert all(set(steps) <= names for steps in PROJECT["workflows"].values())


def test_project_table_knows_the_recognisers_labels_from_others(tmp_path):
    docs = make_docs(spacy.blank("xx"), 9, ("ORG", "PERSON", "GADGET"), seed=3)
    (tmp_path / "test").mkdir()
    DocBin(docs=docs).to_disk(tmp_path / "test" / "test.spacy")
    metrics = {"ents_f": 0.5, "ents_per_type": {"ORG": {"f": 0.5}}}
    srsly.write_json(tmp_path / "base.json", metrics)
    about = {"labels": ["GADGET", "PERSON"], "corrected": ["PERSON"]}
    about["scores"] = {"rehearsal_retention": 1.0}
    labels = {"names": ["ORG", "PERSON", "GADGET"], "textcat": ["GADGET", "OTHER"]}
    meta = {"labels": labels, "spacy_rehearse": about}
    srsly.write_json(tmp_path / "meta.json", meta)
    args = [tmp_path / "base.json", "--component", "names"]
    args += ["--test", tmp_path / "test", "--rehearsed", tmp_path]
    done = CliRunner().invoke(app, list(map(str, args)))
    assert done.exit_code == 0, done.output
    assert "GADGET (new)" in done.output
    assert "ORG (new)" not in done.output and "PERSON (new)" not in done.output


def test_project_block_of_the_readme_is_up_to_date(tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf8")
    marker = "<!-- WEASEL: AUTO-GENERATED DOCS START"
    made = tmp_path / "README.md"
    project_document(ROOT, made, no_emoji=True)
    assert made.read_text(encoding="utf8").strip() in readme
    assert readme.count(marker) == 1


def test_project_table_tells_old_from_new_and_leaves_out_what_test_does_not_mark():
    base = {"ents_f": 0.5, "ents_per_type": {"ORG": {"f": 0.8}, "GADGET": {"f": 0.0}}}
    ours = {"ents_f": 0.7, "ents_per_type": {"ORG": {"f": 0.9}, "GADGET": {"f": 0.6}}}
    assert make_rows([base, ours], ["ORG", "GPE"], ["GADGET"]) == [
        ("GPE", "0.0", "0.0"),
        ("ORG", "80.0", "90.0"),
        ("mean of the old labels", "40.0", "45.0"),
        ("GADGET (new)", "0.0", "60.0"),
        ("all entities", "50.0", "70.0"),
    ]
    assert make_rows([base, ours], [], ["GADGET"]) == [("GADGET (new)", "0.0", "60.0")]


@pytest.mark.slow
def test_project_demonstrates_forgetting_and_its_cure(tmp_path):
    # A quarter of the updates shows it, too, and takes minutes less.
    project = (ROOT / "project.yml").read_text(encoding="utf8")
    for name in ("naive", "rehearsed"):
        output = f"--output training/{name}"
        fewer = "--training.max_steps 200 --training.eval_frequency 40"
        assert project.count(f"{output} ") == 1
        project = project.replace(output, f"{output} {fewer}")
    (tmp_path / "project.yml").write_text(project, encoding="utf8")
    (tmp_path / "spacy_rehearse").symlink_to(ROOT / "spacy_rehearse")
    run = [sys.executable, "-m", "spacy", "project", "run", "all"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    steps = [x for x in PROJECT["commands"] if x["name"] in PROJECT["workflows"]["all"]]
    for command in steps:
        for output in command["outputs"]:
            assert (tmp_path / output).exists(), output
    f = {}
    for name in ("base", "naive", "rehearsed"):
        metrics = json.loads((tmp_path / "metrics" / f"{name}.json").read_text())
        f[name] = {label: prf["f"] for label, prf in metrics["ents_per_type"].items()}
    old = ("PERSON", "ORG", "GPE", "DATE")
    mean = {name: sum(f[name].get(x, 0) for x in old) / 4 for name in f}
    assert mean["base"] >= 0.8
    assert max(f["naive"].get(label, 0) for label in old) < 0.2
    assert mean["rehearsed"] >= 0.95 * mean["base"]
    assert f["rehearsed"]["GADGET"] >= 0.5
    again = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True)
    assert again.returncode == 0
    assert again.stdout.count("nothing changed") == len(PROJECT["workflows"]["all"])


@pytest.mark.slow
def test_project_takes_a_base_with_components_of_its_own(base, corpus, tmp_path):
    (tmp_path / "own.py").write_text(
        "from spacy.language import Language\n"
        '@Language.component("project_own")\n'
        "def own(doc):\n    return doc\n"
    )
    shutil.copytree(base, tmp_path / "base")
    config = (tmp_path / "base" / "config.cfg").read_text()
    config = config.replace('["ner"]', '["project_own","ner"]')
    block = '[components.project_own]\nfactory = "project_own"\n\n'
    config = config.replace("[components.ner]", block + "[components.ner]")
    (tmp_path / "base" / "config.cfg").write_text(config)
    (tmp_path / "project.yml").write_text((ROOT / "project.yml").read_text())
    (tmp_path / "spacy_rehearse").symlink_to(ROOT / "spacy_rehearse")
    given = {"base": "base", "code": "own.py", "pool": str(corpus / "pool.jsonl")}
    given |= {x: str(corpus / f"{x}.spacy") for x in ("train", "dev")}
    run = [sys.executable, "-m", "spacy", "project", "run", "config", "."]
    run += [x for key, value in given.items() for x in (f"--vars.{key}", value)]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    made = (tmp_path / "configs" / "rehearsed.cfg").read_text()
    assert "project_own" in made and "--code own.py" in made
