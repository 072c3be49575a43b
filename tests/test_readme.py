"""Every block of the README is executed: with a tiny base in place of the real one."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import spacy
import srsly
from spacy.cli.train import train
from spacy.training import Example
from thinc.api import Config

from spacy_rehearse.expert import DEFAULT_EXPERT
from spacy_rehearse.teacher import parameter_digests

from .util import (
    NER,
    SHARED,
    make_docs,
    make_texts,
    quick_config,
    tag,
    train_base,
)

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf8")
CONFIG = (ROOT / "docs" / "config.md").read_text(encoding="utf8")
OWN_LOOP = (ROOT / "docs" / "own-loop.md").read_text(encoding="utf8")
DOCS = {path.stem: path.read_text("utf8") for path in (ROOT / "docs").glob("*.md")}
DOCS["README"] = README
BASE = "en_core_web_sm"


def blocks(language, page=README):
    found = re.findall(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert found, f"no {language} block left in the README"
    return found


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """In English, as the pages have it."""
    config = NER.replace('lang = "xx"', 'lang = "en"')
    return train_base(config, tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def shared_base(tmp_path_factory):
    config = SHARED.replace('lang = "xx"', 'lang = "en"')
    return train_base(config, tmp_path_factory.mktemp("base") / "shared")


@pytest.fixture
def project(base, corpus, workdir):
    """A folder with what the README's commands expect to find."""
    shutil.copytree(corpus, workdir / "corpus")
    made = make_texts(80, ("GADGET",), seed=8)
    keys = ("start", "end", "label")
    records = [
        {"text": text, "spans": [dict(zip(keys, e, strict=True)) for e in entities]}
        for text, entities in made
    ]
    srsly.write_jsonl(workdir / "annotations.jsonl", records)
    return workdir


def commands(page=README):
    found = [line for block in blocks("bash", page) for line in block.splitlines()]
    # What installs, and runs the demonstration and the tests, is for .ci/run.
    return [line for line in found if line and "pip install" not in line]


def run_commands(page, base, folder):
    """Run a page's commands as they stand, cut down to a few updates."""
    for command in commands(page):
        args = shlex.split(command.replace(BASE, str(base)))
        assert args[0] == "python"
        if {"train", "compare"} & set(args):
            args += ["--training.max_steps", "50", "--training.eval_frequency", "25"]
        if "convert" in args and "--force" not in args:
            args += ["--force"]
        done = subprocess.run(
            [sys.executable, *args[1:]], cwd=folder, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


@pytest.mark.slow
def test_readme_commands_and_python_run(base, project):
    run_commands(README, base, project)
    assert spacy.load(project / "training" / "model-best").pipe_names == ["ner"]
    for block in blocks("python"):
        exec(compile(block.replace(BASE, str(base)), "README", "exec"), {})


def released(base, folder):
    """As spaCy's own pipelines are: with a tagger, and lookups to be loaded anew."""
    nlp = spacy.load(base)
    tagger = nlp.add_pipe("tagger", before="ner")
    tagged = [Example(doc, tag(doc.copy())) for doc in make_docs(nlp, 5, (), seed=5)]
    tagger.initialize(lambda: tagged, nlp=nlp)
    nlp.config["initialize"]["lookups"] = {
        "@misc": "spacy.LookupsDataLoader.v1",
        "lang": "en",
        "tables": ["lexeme_norm"],
    }
    nlp.to_disk(folder)
    return folder


@pytest.mark.slow
def test_readme_own_loop_runs_and_moves_nothing_else(base, project):
    path = released(base, project / "released")
    (block,) = blocks("python", OWN_LOOP)
    exec(compile(block.replace(BASE, str(path)), "own-loop", "exec"), {})
    before, after = spacy.load(path), spacy.load(project / "trained-by-hand")
    assert after.pipe_names == ["tagger", "ner"]
    assert "GADGET" in after.get_pipe("ner").labels
    theirs, ours = (parameter_digests(x.get_pipe("tagger")) for x in (before, after))
    assert ours == theirs


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:no checkpoint scored above 0")
def test_readme_tutorial_and_what_follows_run(base, project):
    run_commands(DOCS["tutorial"], base, project)
    assert (project / "report.html").exists()
    assert list((project / "training").glob("en_with_gadgets-1.0.0/setup.py"))
    check_config_with(blocks("ini", DOCS["tutorial"])[0], base, project)
    assert (project / "memory.jsonl").exists()
    run_commands(DOCS["pool"], base, project)
    config = quick_config(
        base,
        project / "corpus",
        project / "student.cfg",
        initialize__components__rehearsal__column=None,
    )
    train(config, project / "student_training")
    shutil.move(project / "student_training" / "model-best", project / "student")
    run_commands(DOCS["methods"], base, project)
    assert (project / "comparison" / "results.html").exists()
    assert (project / "sweep.html").exists()
    check_config_with(blocks("ini", DOCS["methods"])[0], base, project, column=None)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:no checkpoint scored above 0")
def test_readme_logger_config_logs_to_both(base, project):
    check_config_with(blocks("ini", CONFIG)[3], base, project)
    logged = [srsly.read_jsonl(x) for x in ("training.jsonl", "plain.jsonl")]
    short, full = (next(iter(lines))["scores"] for lines in logged)
    assert "retention" in short and "rehearsal_retention" in full


def check_config_with(block, base, project, **settings):
    """Train with some sections added to a config of `init-config`."""
    sections = re.findall(r"^\[([\w.]+)\]", block, re.MULTILINE)
    parents = {".".join(x.split(".")[:i]) for x in sections for i in range(1, 9)}
    above = "".join(f"[{name}]\n" for name in sorted(parents - set(sections)))
    added = Config().from_str(above + block, interpolate=False)
    path = quick_config(
        base,
        project / "corpus",
        project / "added.cfg",
        training__max_steps=12,
        training__eval_frequency=6,
        **{f"initialize__components__rehearsal__{k}": v for k, v in settings.items()},
    )
    config = Config().from_disk(path, interpolate=False).merge(added)
    config.to_disk(path)
    train(path, project / "added")
    meta = srsly.read_json(project / "added" / "model-last" / "meta.json")
    assert "ner" in meta["pipeline"] and "rehearsal" not in meta["pipeline"]
    assert "GADGET" in meta["labels"]["ner"]


@pytest.mark.parametrize("name", sorted(DOCS))
def test_readme_links_lead_somewhere(name):
    page = DOCS[name]
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page):
        start = ROOT if name == "README" else ROOT / "docs"
        assert (start / target).exists(), f"{name}: {target}"


@pytest.mark.slow
def test_readme_config_trains(base, project):
    meta = check_config(blocks("ini", CONFIG)[0], base, project)
    assert meta["pipeline"] == ["ner"] and "GADGET" in meta["labels"]["ner"]


@pytest.mark.slow
def test_readme_config_for_a_shared_tok2vec_trains(shared_base, project):
    main, shared, _, _ = blocks("ini", CONFIG)
    pipeline = '["rehearsal","tok2vec","tagger","ner"]'
    main = main.replace('["rehearsal","ner"]', pipeline)
    sourced = "\n".join(
        f"[components.{name}]\nsource = ${{paths.base}}"
        for name in ("tok2vec", "tagger")
    )
    main = main.replace("[initialize]\n", f"{sourced}\n[initialize]\n")
    meta = check_config(main.replace("[training]\n", shared), shared_base, project)
    assert meta["pipeline"] == ["tok2vec", "tagger", "ner"]
    assert "GADGET" in meta["labels"]["ner"]


@pytest.mark.slow
def test_readme_config_with_l2sp_trains(base, project):
    main, _, l2sp, _ = blocks("ini", CONFIG)
    main = main.replace("[components.ner]", f"{l2sp}\n[components.ner]")
    in_place = re.sub(r"\[.*\.column\]\n(\w+ = \w+\n)+", "", main)
    in_place = in_place.replace("heldout = 0.1\n", "heldout = 0.1\ncolumn = null\n")
    assert "column]" not in in_place and "\ncolumn = null" in in_place
    meta = check_config(in_place, base, project)
    assert meta["spacy_rehearse"]["settings"]["column"] is None


def check_config(block, base, project):
    """Train with a config, and return the meta of what it gives."""
    config = Config().from_str(block.replace(BASE, str(base)), interpolate=False)
    config["corpora"] = {
        name: {"@readers": "spacy.Corpus.v1", "path": f"${{paths.{name}}}"}
        for name in ("train", "dev")
    }
    config["training"].update(max_steps=12, eval_frequency=6, gpu_allocator=None)
    config["training"]["optimizer"] = {"@optimizers": "Adam.v1", "learn_rate": 0.01}
    rehearsal = config["initialize"]["components"]["rehearsal"]
    assert set(rehearsal["expert"]) == set(DEFAULT_EXPERT)
    rehearsal["expert"]["max_passes"] = 1
    filled = spacy.blank("en").config.merge(config)
    filled.to_disk("config.cfg")
    train(project / "config.cfg", project / "out")
    meta = srsly.read_json("out/model-last/meta.json")
    assert "rehearsal_score" in meta["performance"]
    return meta


def test_readme_ci_runs_the_test_command():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf8")
    after = README.split("<!-- test command -->\n```bash\n")[1]
    assert after.splitlines()[0].startswith("python -m pip install")
    assert "<!-- test command -->" in script


def test_readme_is_short_enough():
    assert len(README.splitlines()) <= 250
