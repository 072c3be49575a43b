import json
import math
import shutil

import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import DocBin
from thinc.api import Adam
from typer.testing import CliRunner

import spacy_rehearse.cli  # noqa: F401  (registers the command)
from spacy_rehearse.column import add_column
from spacy_rehearse.interpolate import interpolate
from spacy_rehearse.layers import output_layer

from .util import NER, make_docs, make_texts, train_base


@pytest.fixture(scope="module", params=["base", "shared_base"])
def pair(request, tmp_path_factory):
    """A base, and a student that learnt GADGET from it."""
    path = request.getfixturevalue(request.param)
    nlp = spacy.load(path)
    nlp.get_pipe("ner").add_label("GADGET")
    gold = make_docs(nlp, 30, ("GADGET",), seed=2)
    examples = [spacy.training.Example(nlp.make_doc(d.text), d) for d in gold]
    optimizer = Adam(0.01)
    learning = [name for name in ("tok2vec", "ner") if name in nlp.pipe_names]
    with nlp.select_pipes(enable=learning):
        for _ in range(10):
            nlp.update(examples, sgd=False)
            for name in learning:
                nlp.get_pipe(name).finish_update(optimizer)
    nlp.meta["spacy_rehearse"] = {
        "labels": ["GADGET"],
        "scores": {"rehearsal_new_f": 1},
    }
    student = tmp_path_factory.mktemp("student") / request.param
    nlp.to_disk(student)
    return path, student


TEXTS = [text for text, _ in make_texts(60, (), seed=5)]


def said(nlp):
    return [[(e.text, e.label_) for e in doc.ents] for doc in nlp.pipe(TEXTS)]


@pytest.mark.parametrize("alpha, like", [(0.0, 0), (1.0, 1)])
def test_interpolate_ends_are_base_and_student_exactly(pair, alpha, like):
    base, student = map(spacy.load, pair)
    expected = said(spacy.load(pair[like]))
    assert expected != said(spacy.load(pair[1 - like]))
    assert interpolate(base, student, "ner", alpha) > 1000
    assert said(student) == expected


def test_interpolate_moves_each_weight_by_its_share(pair):
    base, student, blend = (spacy.load(pair[i]) for i in (0, 1, 1))
    interpolate(base, blend, "ner", 0.25)
    nodes = zip(
        *(list(nlp.get_pipe("ner").model.walk()) for nlp in (base, student, blend)),
        strict=True,
    )
    n_checked = 0
    for old, new, now in nodes:
        for name in old.param_names:
            before = old.get_param(name)
            block = tuple(slice(0, size) for size in before.shape)
            wanted = before + 0.25 * (new.get_param(name)[block] - before)
            assert now.get_param(name)[block] == pytest.approx(wanted, abs=1e-6)
            n_checked += before.size
    assert n_checked > 1000
    rows = [output_layer(x.get_pipe("ner").model) for x in (base, student, blend)]
    n_old, after, now = (rows[0].get_dim("nO"), *(x.get_param("b") for x in rows[1:]))
    # What only the student knows is as sure as its part in the blend.
    assert now[n_old:] == pytest.approx(after[n_old:] + math.log(0.25), abs=1e-5)


@pytest.mark.parametrize("alpha", [-0.1, 1.5])
def test_interpolate_alpha_out_of_range(pair, alpha):
    with pytest.raises(ValueError, match=f"alpha is {alpha}: expected 0"):
        interpolate(*map(spacy.load, pair), "ner", alpha)


def test_interpolate_pipelines_that_are_built_otherwise(base, shared_base, tmp_path):
    narrow = train_base(
        NER.replace("width = ", "width = 1"), tmp_path / "x", n_updates=1
    )
    with pytest.raises(ValueError, match="was not fine-tuned from it"):
        interpolate(spacy.load(base), spacy.load(narrow), "ner", 0.5)
    shared = spacy.load(shared_base)
    for one, other in ((spacy.load(base), shared), (shared, spacy.load(base))):
        with pytest.raises(ValueError, match="was fine-tuned from the base"):
            interpolate(one, other, "ner", 0.5)
    with pytest.raises(ValueError, match="has no component 'entities', only"):
        interpolate(spacy.load(base), spacy.load(base), "entities", 0.5)


@pytest.mark.parametrize("alpha, like", [(0.0, 0), (1.0, 1)])
def test_interpolate_where_the_student_has_its_own_copy_of_shared_embeddings(
    shared_base, alpha, like
):
    student = spacy.load(shared_base)
    student.replace_listeners("tok2vec", "ner", ["model.tok2vec"])
    student.get_pipe("ner").add_label("GADGET")
    docs = make_docs(student, 30, ("GADGET",), seed=2)
    examples = [spacy.training.Example(student.make_doc(d.text), d) for d in docs]
    with student.select_pipes(enable=["ner"]):
        for _ in range(5):
            student.update(examples, sgd=Adam(0.01))
    expected = [said(spacy.load(shared_base)), said(student)]
    base = spacy.load(shared_base)
    assert interpolate(base, student, "ner", alpha) > 1000
    assert said(student) == expected[like] != expected[1 - like]
    assert said(base) == expected[0]


def test_interpolate_with_a_column_has_nothing_to_do(base):
    student = spacy.load(base)
    student.get_pipe("ner").add_label("GADGET")
    add_column(student, "ner", ("GADGET",), width=8, depth=1, hidden=4)
    with pytest.raises(ValueError, match="column = null"):
        interpolate(spacy.load(base), student, "ner", 0.5)


@pytest.mark.slow
def test_interpolate_command_saves_a_pipeline_that_loads(pair, tmp_path):
    out = tmp_path / "between"
    (tmp_path / "between.half" / "other_pipe").mkdir(parents=True)  # somebody's
    args = ["rehearse", "interpolate", *map(str, pair), str(out), "--alpha", "0.5"]
    done = CliRunner().invoke(app, args)
    assert done.exit_code == 0 and str(out) in done.stdout
    expected = spacy.load(pair[1])
    interpolate(spacy.load(pair[0]), expected, "ner", 0.5)
    between = spacy.load(out)
    assert not (out / "other_pipe").exists()
    assert sorted(x.name for x in tmp_path.iterdir()) == ["between", "between.half"]
    assert said(between) == said(expected)
    assert between.meta["interpolated"]["alpha"] == 0.5
    told = between.meta["spacy_rehearse"]  # `evaluate` asks it what was learnt
    assert told["labels"] == ["GADGET"] and "scores" not in told
    again = CliRunner().invoke(app, args)
    assert again.exit_code == 1 and "--force" in again.stdout
    (tmp_path / "link").symlink_to(out)
    args[-3:] = [str(tmp_path / "link"), "--alpha", "0.2", "--force"]
    assert CliRunner().invoke(app, args).exit_code == 0
    assert spacy.load(out).meta["interpolated"]["alpha"] == 0.2
    assert (tmp_path / "link").is_symlink()
    told = json.loads(CliRunner().invoke(app, [*args, "--json"]).stdout)
    assert told["alpha"] == 0.2 and told["weights_moved"] > 0


def test_interpolate_command_with_a_bad_alpha_writes_nothing(pair, tmp_path):
    args = ["rehearse", "interpolate", *map(str, pair), str(tmp_path / "x"), "-a", "7"]
    done = CliRunner().invoke(app, args)
    assert done.exit_code == 1 and "alpha is 7.0: expected 0" in done.stdout
    assert not list(tmp_path.iterdir())


def test_interpolate_overwrites_nothing_but_old_output(pair, tmp_path):
    for number, path in enumerate(pair):
        shutil.copytree(path, tmp_path / str(number))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "notes.txt").touch()
    (tmp_path / "file").touch()
    given = [str(tmp_path / "0"), str(tmp_path / "1")]
    for output in ("0", "1", "notes", "file"):
        args = ["rehearse", "interpolate", *given, str(tmp_path / output)]
        done = CliRunner().invoke(app, [*args, "--alpha", "0.5", "--force"])
        assert done.exit_code == 1, output
    assert (tmp_path / "notes" / "notes.txt").exists()
    sweep = tmp_path / "dev.spacy"
    sweep.write_bytes(b"gold")
    args = ["rehearse", "interpolate", *given, str(tmp_path / "new"), "--force"]
    for html in (sweep, tmp_path / "1" / "meta.json"):
        before = html.read_bytes()
        done = CliRunner().invoke(app, [*args, "-s", str(sweep), "--html", str(html)])
        assert done.exit_code == 1 and "what is read" in " ".join(done.output.split())
        assert html.read_bytes() == before
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"0", "1", "notes", "file", "dev.spacy"}


def test_interpolate_does_not_replace_a_folder_with_more_in_it(pair, tmp_path):
    package = tmp_path / "package"  # as `spacy package` makes it
    shutil.copytree(pair[0], package / "en_x")
    shutil.copy(pair[0] / "meta.json", package)
    output, other = tmp_path / "output", tmp_path / "other"
    for path in (output, other):
        shutil.copytree(pair[1], path)
    (output / "dev.spacy").touch()
    (other / "notes.txt").touch()
    student = str(pair[1])
    for args, words in [
        ([package / "en_x", student, package, "-a", "0.5"], "holds what is read"),
        ([pair[0], student, output, "-s", output / "dev.spacy"], "holds what is read"),
        ([pair[0], student, other, "-a", "0.5"], "or holds other files"),
        ([package / "en_x", student, package / "en_x" / "y", "-a", "0.5"], "is inside"),
    ]:
        args = ["rehearse", "interpolate", *map(str, args), "--force"]
        done = CliRunner().invoke(app, args)
        assert done.exit_code == 1 and words in " ".join(done.output.split())
    assert (package / "en_x" / "meta.json").exists()
    assert (output / "dev.spacy").exists() and (other / "notes.txt").exists()


def test_interpolate_names_a_component_that_is_no_recogniser(pair):
    base, student = map(spacy.load, pair)
    for nlp in (base, student):
        nlp.add_pipe("sentencizer")
    with pytest.raises(ValueError, match="'sentencizer' of the base is a"):
        interpolate(base, student, "sentencizer", 0.5)


@pytest.mark.slow
def test_interpolate_sweep_saves_the_best(pair, corpus, tmp_path):
    docs = make_docs(spacy.blank("xx"), 60, ("PERSON", "ORG", "GADGET"), seed=6)
    DocBin(docs=docs).to_disk(tmp_path / "dev.spacy")
    out, page = tmp_path / "best", tmp_path / "sweep.html"
    args = ["rehearse", "interpolate", *map(str, pair), str(out)]
    args += ["--sweep", str(tmp_path / "dev.spacy"), "--html", str(page), "--json"]
    done = CliRunner().invoke(app, args)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    alphas = [point["alpha"] for point in told["points"]]
    assert alphas == pytest.approx([x / 10 for x in range(11)])
    assert told["points"][0]["learnt"] == 0.0  # the base
    worst = min(point["kept"] for point in told["points"])
    assert told["points"][0]["kept"] > worst
    saved = spacy.load(out).meta["interpolated"]["alpha"]
    assert saved == pytest.approx(told["best"])
    assert "<polyline" in page.read_text()


def test_interpolate_sweep_keeps_the_base_where_nothing_is_learnt(
    base, tmp_path, monkeypatch
):
    monkeypatch.setattr("spacy_rehearse.cli.interpolate.STEPS", 2)
    student = spacy.load(base)
    student.get_pipe("ner").add_label("GADGET")
    student.to_disk(tmp_path / "student")
    docs = make_docs(spacy.blank("xx"), 9, ("PERSON", "ORG", "GADGET"), seed=6)
    DocBin(docs=docs).to_disk(tmp_path / "dev.spacy")
    args = ["rehearse", "interpolate", str(base), str(tmp_path / "student")]
    args += [str(tmp_path / "x"), "--sweep", str(tmp_path / "dev.spacy")]
    done = CliRunner().invoke(app, args)
    assert done.exit_code == 0 and "Nothing was learnt at any point" in done.output
    assert spacy.load(tmp_path / "x").meta["interpolated"]["alpha"] == 0


def test_interpolate_sweep_needs_something_to_see_what_is_kept_by(pair, tmp_path):
    docs = make_docs(spacy.blank("xx"), 9, ("GADGET",), seed=6)
    DocBin(docs=docs).to_disk(tmp_path / "dev.spacy")
    args = ["rehearse", "interpolate", *map(str, pair), str(tmp_path / "x")]
    done = CliRunner().invoke(app, [*args, "--sweep", str(tmp_path / "dev.spacy")])
    assert done.exit_code == 1 and "--pool" in done.output
    inside = ["--sweep", str(tmp_path / "dev.spacy"), "--html", f"{tmp_path}/x/s.html"]
    for given in ([], inside, ["--sweep", "x.spacy", "--alpha", "0.5"]):
        assert CliRunner().invoke(app, [*args, *given]).exit_code == 1
    assert not (tmp_path / "x").exists()


def test_interpolate_sweep_of_a_corrected_label(base, tmp_path, monkeypatch):
    monkeypatch.setattr("spacy_rehearse.cli.interpolate.STEPS", 1)
    student = spacy.load(base)
    student.meta["spacy_rehearse"] = {"labels": ["ORG"], "corrected": ["ORG"]}
    student.to_disk(tmp_path / "student")
    docs = make_docs(spacy.blank("xx"), 9, ("PERSON", "ORG"), seed=6)
    DocBin(docs=docs).to_disk(tmp_path / "dev.spacy")
    args = ["rehearse", "interpolate", str(base), str(tmp_path / "student")]
    args += [str(tmp_path / "x"), "--sweep", str(tmp_path / "dev.spacy"), "--json"]
    done = CliRunner().invoke(app, args)
    assert done.exit_code == 0, done.output
    points = json.loads(done.stdout)["points"]
    assert all(0 < point["learnt"] <= 1 and 0 < point["kept"] <= 1 for point in points)
