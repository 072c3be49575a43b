"""The commands, as users run them."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import spacy
import srsly
from catalogue import _remove
from spacy.cli._util import app
from spacy.tokens import DocBin, Span
from spacy.training.initialize import init_nlp
from spacy.util import import_file, registry
from spacy.vocab import Vocab
from thinc.api import Config
from typer.testing import CliRunner

from spacy_rehearse.cli import rehearse_cli
from spacy_rehearse.init_config import make_config
from spacy_rehearse.recipe import shortest_text

from .util import hear_ctrl_c, make_docs, quick_config, write_pool


@pytest.fixture
def spacy_cli():
    def run(*args):
        done = CliRunner().invoke(app, ["rehearse", *map(str, args)])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return run


def test_cli_is_a_sub_command_of_spacy():
    done = subprocess.run(
        [sys.executable, "-m", "spacy", "rehearse", "--help"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    for name in ("init-config", "convert", "annotate"):
        assert name in done.stdout


@pytest.mark.parametrize("command", [c.name for c in rehearse_cli.registered_commands])
def test_cli_every_command_explains_itself(spacy_cli, command):
    done = spacy_cli(command, "--help")
    assert done.exit_code == 0
    assert "Example" in done.stdout and "python -m spacy rehearse" in done.stdout


def test_cli_annotate_writes_silver_and_fills_cache(spacy_cli, base, corpus, workdir):
    args = ("annotate", base, corpus / "pool.jsonl", "silver.spacy")
    assert spacy_cli(*args).exit_code == 0
    nlp = spacy.load(base)
    docs = list(DocBin().from_disk("silver.spacy").get_docs(nlp.vocab))
    texts = [record["text"] for record in srsly.read_jsonl(corpus / "pool.jsonl")]
    assert [doc.text for doc in docs] == texts
    for doc in docs[:20]:
        expected = [(e.text, e.label_) for e in nlp(doc.text).ents]
        assert [(e.text, e.label_) for e in doc.ents] == expected
    assert list(workdir.glob(".rehearsal_cache/*/*.spacy"))
    again = spacy_cli(*args)
    assert again.exit_code == 1 and "--force" in again.stdout
    assert spacy_cli(*args, "--force").exit_code == 0


def test_cli_annotate_does_the_work_of_a_training(
    spacy_cli, base, corpus, workdir, capfd
):
    records = [{"text": "Read more"}, *srsly.read_jsonl(corpus / "pool.jsonl")]
    srsly.write_jsonl("pool.jsonl", records)
    sample = {"limit": 100, "seed": 1}
    args = ("annotate", base, "pool.jsonl", "silver.spacy")
    assert spacy_cli(*args, "--limit", "100", "--seed", "1").exit_code == 0
    made = make_config(
        str(base),
        train=corpus / "train.spacy",
        dev=corpus / "dev.spacy",
        pool=[workdir / "pool.jsonl"],
    )
    made["initialize"]["components"]["rehearsal"]["expert"] = None
    made["initialize"]["components"]["rehearsal"]["pool"].update(sample)
    init_nlp(made)
    assert "; 100 of all had been" in " ".join(capfd.readouterr().err.split())


def test_cli_annotate_clears_the_cache(spacy_cli, base, corpus, workdir):
    spacy_cli("annotate", base, corpus / "pool.jsonl", "silver.spacy")
    done = spacy_cli("annotate", "--clear", ".rehearsal_cache")
    assert done.exit_code == 0 and "Removed 1 shards" in done.stdout
    assert not (workdir / ".rehearsal_cache").exists()


def test_cli_annotate_keeps_out_of_a_folder_with_other_files(
    spacy_cli, base, corpus, workdir
):
    (workdir / "mine").mkdir()
    (workdir / "mine" / "gold.spacy").write_bytes(b"")
    args = ("annotate", base, corpus / "pool.jsonl", "silver.spacy", "--cache", "mine")
    done = spacy_cli(*args)
    assert done.exit_code == 1 and "holds other files" in done.stdout
    assert [x.name for x in (workdir / "mine").iterdir()] == ["gold.spacy"]


@pytest.mark.parametrize(
    "args,words",
    [
        (("annotate", "base"), "Give BASE, POOL and OUTPUT_FILE"),
        (("annotate", "--clear", "nowhere"), "'nowhere' is no folder"),
        (("convert", "good.jsonl", "out.jsonl"), "so call it .spacy"),
        (("annotate", "no_model", "pool.jsonl", "x.spacy"), "can't find the teacher"),
        (("convert", "nowhere.jsonl", "out.spacy"), "Can't find nowhere.jsonl"),
        (
            ("annotate", "base", "pool.jsonl", "x.spacy", "--cache", "pool.jsonl"),
            "written to pool.jsonl: name another --cache",
        ),
        (("convert", "bad.jsonl", "out.spacy"), "line 2: not a JSON record"),
        (("convert", "none.jsonl", "out.spacy"), "no accepted record (1 rejected"),
        (
            ("convert", "good.jsonl", "o.spacy", "-d", "d.spacy", "--dev-share", "2"),
            "is 2.0",
        ),
    ],
)
def test_cli_bad_input_one_message_exit_code_1_nothing_written(
    spacy_cli, workdir, args, words
):
    good = '{"text": "a b", "spans": []}\n'
    (workdir / "good.jsonl").write_text(good)
    (workdir / "bad.jsonl").write_text(good + "{\n")
    (workdir / "none.jsonl").write_text('{"text": "a", "answer": "reject"}\n')
    (workdir / "pool.jsonl").write_text(good)
    before = sorted(workdir.iterdir())
    done = spacy_cli(*args)
    assert done.exit_code == 1
    assert words in " ".join(done.stdout.split())
    assert sorted(workdir.iterdir()) == before


@pytest.mark.slow
def test_cli_init_config_then_train(spacy_cli, base, corpus, workdir):
    paths = ("--train", corpus / "train.spacy", "--dev", corpus / "dev.spacy")
    args = ("init-config", "c.cfg", "--base", base, *paths)
    done = spacy_cli(*args)
    assert done.exit_code == 1 and "No --pool given" in done.stdout
    assert spacy_cli(*args, "--pool", corpus / "pool.jsonl").exit_code == 0
    done = subprocess.run(
        [sys.executable, "-m", "spacy", "train", "c.cfg", "--output", "out"]
        + ["--training.max_steps", "10", "--training.eval_frequency", "5"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert spacy.load(workdir / "out" / "model-best").pipe_names == ["ner"]


def test_cli_convert_splits_and_converts(spacy_cli, workdir):
    records = [
        {
            "text": f"He took Xanax number {i}",
            "spans": [{"start": 8, "end": 13, "label": "DRUG"}],
            "answer": "reject" if i == 0 else "accept",
        }
        for i in range(101)
    ]
    srsly.write_jsonl("in.jsonl", records[:4])
    args = ("convert", "in.jsonl", "train.spacy", "--dev", "dev.spacy", "--dev-share")
    done = spacy_cli(*args, "0.999")
    assert done.exit_code == 1 and not (workdir / "dev.spacy").exists()
    srsly.write_jsonl("in.jsonl", records)
    done = spacy_cli("convert", "in.jsonl", "corpus/train.spacy", "--dev", "dev.spacy")
    assert done.exit_code == 0, done.stdout
    assert "Left out 1 rejected" in done.stdout
    vocab = spacy.blank("xx").vocab
    train = list(DocBin().from_disk("corpus/train.spacy").get_docs(vocab))
    dev = list(DocBin().from_disk("dev.spacy").get_docs(vocab))
    assert len(train) + len(dev) == 100 and 10 < len(dev) < 30
    for doc in train + dev:
        assert [(e.text, e.label_) for e in doc.ents] == [("Xanax", "DRUG")]
        assert {t.ent_iob_ for t in doc} == {"O", "B"}


def test_cli_init_config_finds_mistakes_before_the_training(
    spacy_cli, base, corpus, workdir
):
    (workdir / "bad.txt").write_bytes(b"fine\n\xff\n")
    other = make_docs(spacy.blank("xx"), 5, ("PERSON",), seed=1)
    DocBin(docs=other).to_disk("other.spacy")
    paths = {
        "--base": base,
        "--train": corpus / "train.spacy",
        "--dev": corpus / "dev.spacy",
        "--pool": corpus / "pool.jsonl",
    }
    for option, value, words in [
        ("--base", "no_model", "can't find the base 'no_model': set --base"),
        ("--labels", "GADGIT", "['GADGIT'] never occur in the gold"),
        ("--dev", corpus / "train.spacy", "is given twice"),
        ("--pool", corpus / "train.spacy", "is given twice"),
        ("--dev", "other.spacy", "marks none of the labels of the gold (GADGET)"),
        ("--pool", "bad.txt", "line 2: not UTF-8"),
        ("--train", workdir / "bad.txt", "is not a .spacy file: convert it with"),
        ("--component", "nerr", "has no component 'nerr'"),
    ]:
        chosen = {**paths, option: value}
        args = [part for pair in chosen.items() for part in pair]
        done = spacy_cli("init-config", "c.cfg", *args)
        assert done.exit_code == 1, option
        assert words in " ".join(done.stdout.split()), option
        assert not (workdir / "c.cfg").exists()


def test_cli_output_never_takes_the_place_of_the_pool(spacy_cli, base, corpus, workdir):
    (workdir / "pool.jsonl").write_bytes((corpus / "pool.jsonl").read_bytes())
    shutil.copy(corpus / "train.spacy", workdir / "pool.spacy")
    before = {path: path.read_bytes() for path in workdir.iterdir()}
    gold = ("--train", corpus / "train.spacy", "--dev", corpus / "dev.spacy")
    for args in [
        ("init-config", "pool.jsonl", "--base", base, *gold, "--pool", "pool.jsonl"),
        ("annotate", base, "pool.spacy", "pool.spacy"),
    ]:
        done = spacy_cli(*args, "--force")
        assert done.exit_code == 1
        assert "is given twice" in " ".join(done.stdout.split())
    assert {path: path.read_bytes() for path in workdir.iterdir()} == before


def test_cli_annotate_interrupted_goes_on(
    spacy_cli, base, corpus, workdir, monkeypatch
):
    from spacy_rehearse import silver

    real, calls = silver.annotate_batch, []

    def interrupted(texts, *more):
        calls.append(len(texts))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(texts, *more)

    smaller = {**silver.annotate.__kwdefaults__, "shard_size": 50}
    monkeypatch.setattr(silver.annotate, "__kwdefaults__", smaller)
    monkeypatch.setattr(silver, "annotate_batch", interrupted)
    args = ("annotate", base, corpus / "pool.jsonl", "silver.spacy")
    done = spacy_cli(*args)
    assert done.exit_code == 130
    assert "kept in .rehearsal_cache" in " ".join(done.stdout.split())
    assert not (workdir / "silver.spacy").exists()
    done = spacy_cli(*args)
    assert done.exit_code == 0 and "150 texts, 50 from the cache" in done.stdout
    assert calls == [50, 50, 50, 50]
    damaged, *_ = (workdir / ".rehearsal_cache").rglob("*.spacy")
    damaged.write_bytes(b"")
    done = spacy_cli(*args, "--force")
    assert done.exit_code == 0 and "150 texts, 100 from the cache" in done.stdout


@pytest.mark.slow
def test_cli_annotate_in_processes_goes_on_after_ctrl_c(base, workdir):
    pool = write_pool(workdir / "pool.jsonl", 6000)
    command = [sys.executable, "-m", "spacy", "rehearse", "annotate", str(base)]
    command += [str(pool), "silver.spacy", "--n-process", "2"]
    with subprocess.Popen(
        command,
        start_new_session=True,
        preexec_fn=hear_ctrl_c,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        for _ in range(600):
            if list((workdir / ".rehearsal_cache").rglob("*.spacy")):
                break
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        assert "Run the same command again" in process.communicate(timeout=60)[0]
    assert process.returncode == 130 and not (workdir / "silver.spacy").exists()
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (n_cached,) = re.findall(r"(\d+) from the cache", done.stdout)
    assert 0 < int(n_cached) < 6000 and (workdir / "silver.spacy").exists()


def test_cli_init_config_does_not_name_the_folder_that_the_base_is_in(
    spacy_cli, base, corpus, workdir
):
    shutil.copytree(base, workdir / "training" / "model-best")
    args = ["--train", corpus / "train.spacy", "--dev", corpus / "dev.spacy"]
    args += ["--pool", corpus / "pool.jsonl", "--base", "training/model-best"]
    done = spacy_cli("init-config", "c.cfg", *args)
    assert done.exit_code == 0 and "--output training-2" in done.stdout
    assert "--output training-2" in (workdir / "c.cfg").read_text()


def test_cli_init_config_keeps_the_config_of_the_base(spacy_cli, base, corpus, workdir):
    shutil.copytree(base, "base")
    before = Path("base/config.cfg").read_bytes()
    args = ["--base", "base", "--pool", corpus / "pool.jsonl", "--force"]
    args += ["--train", corpus / "train.spacy", "--dev", corpus / "dev.spacy"]
    done = spacy_cli("init-config", "base/config.cfg", *args)
    assert done.exit_code == 1 and "what is read" in " ".join(done.stdout.split())
    assert Path("base/config.cfg").read_bytes() == before


def test_cli_takes_a_comma_at_the_end_of_a_list(spacy_cli, base, corpus, workdir):
    args = ["--base", base, "--pool", corpus / "pool.jsonl", "--labels", "GADGET,"]
    args += ["--train", corpus / "train.spacy", "--dev", corpus / "dev.spacy"]
    assert spacy_cli("init-config", "c.cfg", *args).exit_code == 0
    assert 'labels = ["GADGET"]' in Path("c.cfg").read_text("utf8")


def test_cli_convert_does_not_overwrite_what_it_was_given(spacy_cli, workdir):
    record = {"text": "He took Xanax", "spans": []}
    srsly.write_jsonl("in.jsonl", [record] * 9)
    done = spacy_cli("convert", "in.jsonl", "a.spacy", "--dev", "a.spacy")
    assert done.exit_code == 1 and "as output and as dev" in done.stdout
    assert not (workdir / "a.spacy").exists()


def test_cli_init_config_dry_run_explains_and_writes_nothing(
    spacy_cli, base, shared_base, corpus, workdir
):
    args = ("--train", corpus / "train.spacy", "--dev", corpus / "dev.spacy")
    args += ("--pool", corpus / "pool.jsonl", "--dry-run")
    done = spacy_cli("init-config", "c.cfg", "--base", shared_base, *args)
    assert done.exit_code == 0 and not (workdir / "c.cfg").exists()
    told = " ".join(done.stdout.split())
    for words in ("pipes: tok2vec, tagger, ner", "embeddings: tok2vec", "GADGET"):
        assert words in told
    assert "max_steps: 800" in told and "some labels are learnt late" in told
    assert (
        "gold marks few entities: 28" in told
        and "margin: null 1.5 if experts miss most" in told
    )


def test_cli_init_config_dry_run_of_naive_fine_tuning_knows_the_labels(
    spacy_cli, base, corpus, workdir
):
    docs = make_docs(spacy.blank("xx"), 30, ("ORG",), seed=3)
    for name in ("a.spacy", "b.spacy"):
        DocBin(docs=docs).to_disk(name)
    args = ("--train", "a.spacy", "--dev", "b.spacy", "--labels", "ORG")
    done = spacy_cli(
        "init-config", "c.cfg", "--base", base, *args, "--naive", "--dry-run"
    )
    assert done.exit_code == 0, done.stdout


def test_cli_init_config_by_method(spacy_cli, base, corpus, workdir):
    args = ("--base", base, "--train", corpus / "train.spacy")
    args += ("--dev", corpus / "dev.spacy", "--pool", corpus / "pool.jsonl")
    done = spacy_cli("init-config", "ewc.cfg", *args, "--method", "ewc")
    assert done.exit_code == 0, done.stdout
    config = Config().from_disk("ewc.cfg", interpolate=False)
    assert set(config["components"]["rehearsal"]["regularizers"]) == {"ewc"}
    done = spacy_cli("init-config", "x.cfg", *args, "--method", "magic")
    assert done.exit_code == 1 and "No method 'magic'" in done.stdout
    done = spacy_cli("init-config", "naive.cfg", *args[:-2], "--method", "naive")
    assert done.exit_code == 0
    naive = Config().from_disk("naive.cfg", interpolate=False)
    assert naive["nlp"]["pipeline"] == ["ner"]
    told = Path("naive.cfg").read_text().lower()  # comments are of what is there
    assert (
        "# words of gold" in told and "silver" not in told and "retention" not in told
    )
    done = spacy_cli("init-config", "st.cfg", *args[:-2], "--method", "self-training")
    assert done.exit_code == 0, done.stdout
    config = Config().from_disk("st.cfg", interpolate=False)
    assert config["paths"]["pool"] == str(corpus / "dev.spacy")
    done = spacy_cli("check", "st.cfg")
    assert done.exit_code == 0 and "nearly the same" not in done.stdout
    done = spacy_cli("init-config", "n.cfg", *args[:-2], "-m", "rehearsal-no-pool")
    assert done.exit_code == 0, done.stdout
    config = Config().from_disk("n.cfg", interpolate=False)
    assert config["components"]["rehearsal"]["ratio"] == 0
    settings = config["initialize"]["components"]["rehearsal"]
    assert settings["column"] and settings["expert"] is None
    assert settings["heldout"] == 0.5
    done = spacy_cli("init-config", "t.cfg", *args[:-2], "--method", "textbook")
    assert done.exit_code == 1 and "No --pool given" in done.stdout
    assert "--method rehearsal-no-pool" in done.stdout


def test_cli_init_config_commands_stand_in_one_line(spacy_cli, base, corpus, workdir):
    output = workdir / "a folder" / ("deep" * 20) / "config.cfg"
    args = ("--base", base, "--train", corpus / "train.spacy")
    args += ("--dev", corpus / "dev.spacy", "--pool", corpus / "pool.jsonl")
    done = spacy_cli("init-config", output, *args)
    assert done.exit_code == 0, done.stdout
    train = f"python -m spacy train '{output}' --output training"
    assert f"python -m spacy rehearse check '{output}'" in done.stdout.splitlines()
    assert train in done.stdout.splitlines()
    assert f"#     {train}" in output.read_text().splitlines()


def test_cli_init_config_writes_a_memory_for_the_rounds_to_come(
    spacy_cli, base, corpus, workdir
):
    args = ("--base", base, "--train", corpus / "train.spacy", "--memory", "m.jsonl")
    args += ("--dev", corpus / "dev.spacy", "--pool", corpus / "pool.jsonl")
    assert spacy_cli("init-config", "c.cfg", *args).exit_code == 0
    assert spacy_cli("check", "c.cfg").exit_code == 0
    memory = Config().from_disk("c.cfg")["initialize"]["components"]["rehearsal"]
    assert memory["memory"]["path"] == memory["memory"]["save_to"] == "m.jsonl"
    done = spacy_cli("init-config", "n.cfg", *args, "--method", "naive")
    assert done.exit_code == 1 and "naive replays nothing" in done.stdout


def test_cli_init_config_thins_gold_that_hardly_mentions_the_label(
    spacy_cli, base, corpus, workdir
):
    nlp = spacy.blank("xx")
    silent = [
        nlp.make_doc(f"nothing at all happens here, {i} says") for i in range(900)
    ]
    gold = list(DocBin().from_disk(corpus / "train.spacy").get_docs(nlp.vocab))
    DocBin(docs=[*gold, *silent]).to_disk("sparse.spacy")
    args = ("--base", base, "--train", "sparse.spacy")
    args += ("--dev", corpus / "dev.spacy", "--pool", corpus / "pool.jsonl")
    told = " ".join(
        spacy_cli("init-config", "c.cfg", *args, "--dry-run").stdout.split()
    )
    assert "of the others" in told and "[corpora.train.augmenter]" in told
    assert spacy_cli("init-config", "c.cfg", *args).exit_code == 0
    config = Config().from_disk("c.cfg", interpolate=False)
    thinner = config["corpora"]["train"]["augmenter"]
    assert 0 < thinner["keep"] < 0.5
    checked = json.loads(spacy_cli("check", "c.cfg", "--json").stdout)
    assert len(gold) < checked["gold_texts"] < 500
    assert not any("hold a new entity" in line for line in checked["advice"])
    n_out = len(gold) + len(silent) - checked["gold_texts"]
    told = spacy_cli("check", "c.cfg").stdout
    assert f"{n_out} more are left out by the settings of [corpora.train]" in told


def test_cli_init_config_can_skip_what_can_not_be_read(
    spacy_cli, base, corpus, workdir
):
    pool = workdir / "broken.jsonl"
    pool.write_text("{" + (corpus / "pool.jsonl").read_text(), encoding="utf8")
    args = ("--base", base, "--train", corpus / "train.spacy")
    args += ("--dev", corpus / "dev.spacy", "--pool", pool)
    done = spacy_cli("init-config", "c.cfg", *args)
    assert done.exit_code == 1 and "--skip-invalid" in done.stdout
    assert spacy_cli("init-config", "c.cfg", *args, "--skip-invalid").exit_code == 0
    config = Config().from_disk("c.cfg", interpolate=False)
    reader = config["initialize"]["components"]["rehearsal"]["pool"]
    assert reader["skip_invalid"] is True


def test_cli_refuses_outputs_that_can_not_be_written_before_any_work(
    spacy_cli, base, corpus, workdir
):
    (workdir / "file").write_text("")
    (workdir / "folder").mkdir()
    for html, words in (
        ("file/report.html", "can't be written"),
        ("folder", "is a folder"),
    ):
        args = (base, base, corpus / "dev.spacy", "--html", html, "--force")
        done = spacy_cli("evaluate", *args)
        assert done.exit_code == 1 and words in " ".join(done.stdout.split())
    done = spacy_cli("interpolate", base, base, "file", "--alpha", "1", "--force")
    assert done.exit_code == 1 and "is no folder" in done.stdout
    args = (base, corpus / "pool.jsonl", "silver.jsonl")
    done = spacy_cli("annotate", *args)
    assert done.exit_code == 1 and "call it .spacy" in done.stdout


def test_cli_refuses_options_without_effect(spacy_cli, base, corpus, workdir):
    for args, words in (
        (("convert", "in.jsonl", "a.spacy", "--dev-share", "0.3"), "give --dev, too"),
        (("interpolate", base, base, "x", "-a", "1", "--html", "h"), "are for --sweep"),
        (("evaluate", base, base, corpus / "dev.spacy", "-l", "-1"), "--limit is -1"),
    ):
        (workdir / "in.jsonl").write_text("{}")
        done = spacy_cli(*args)
        assert done.exit_code == 1 and words in done.stdout


def test_cli_imports_code_that_a_pipeline_needs(spacy_cli, base, corpus, workdir):
    component = "test_cli_own"
    Path("own.py").write_text(
        "from spacy.language import Language\n"
        f"@Language.component({component!r})\n"
        "def own(doc):\n    return doc\n"
    )
    import_file("own", "own.py")
    nlp = spacy.load(base)
    nlp.add_pipe(component)
    nlp.to_disk("base")
    _remove((*registry.factories.namespace, component))
    silver = ("annotate", "base", corpus / "pool.jsonl", "silver.spacy")
    done = spacy_cli(*silver)
    assert done.exit_code == 1 and component in done.stdout + done.stderr
    code = ("--code", "own.py")
    assert spacy_cli(*silver, *code, "--n-process", 2).exit_code == 0
    paths = [("--" + x, corpus / f"{x}.spacy") for x in ("train", "dev")]
    config = ("init-config", "c.cfg", "--base", "base", *paths[0], *paths[1])
    config += ("--pool", corpus / "pool.jsonl", *code)
    done = spacy_cli(*config)
    assert done.exit_code == 0
    assert "rehearse check c.cfg --code own.py" in done.stdout
    trains = "python -m spacy train c.cfg --output training --code own.py"
    assert trains in done.stdout and trains in Path("c.cfg").read_text()
    _remove((*registry.factories.namespace, component))
    done = spacy_cli("check", "c.cfg")
    assert done.exit_code == 1 and "give its file with --code" in done.stdout
    for command in rehearse_cli.registered_commands:
        assert "--code" in spacy_cli(command.name, "--help").stdout


@pytest.mark.parametrize("command", [["check"], ["compare", "--output", "out"]])
def test_cli_says_that_the_component_goes_by_another_name(
    spacy_cli, base, corpus, workdir, command
):
    config = Config().from_disk(quick_config(base, corpus, "c.cfg"))
    config["components"]["mine"] = config["components"].pop("rehearsal")
    config["nlp"]["pipeline"] = ["mine", "ner"]
    settings = config["initialize"]["components"]
    settings["mine"] = settings.pop("rehearsal")
    config.to_disk("c.cfg")
    done = spacy_cli(*command, "c.cfg")
    assert done.exit_code == 1
    assert "is called 'mine'" in " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize(
    "damage, words",
    [
        (lambda text: text.replace("[nlp]", "[nlp"), "c.cfg: "),
        (lambda text: text.replace("${paths.train}", "${paths.trian}"), "paths.trian"),
        (lambda text: "\ufeff" + text, "c.cfg: "),
        (lambda text: text.encode("utf-16"), "c.cfg is no config: not text in UTF-8"),
    ],
)
def test_cli_names_a_config_that_can_not_be_read(
    spacy_cli, base, corpus, workdir, damage, words
):
    quick_config(base, corpus, "c.cfg")
    text = damage(Path("c.cfg").read_text("utf8"))
    Path("c.cfg").write_bytes(text if isinstance(text, bytes) else text.encode("utf8"))
    for command in (["check"], ["compare", "--output", "out"]):
        done = spacy_cli(*command, "c.cfg")
        assert done.exit_code == 1
        assert words in " ".join((done.stdout + done.stderr).split())


def test_cli_names_a_pipeline_that_can_not_be_loaded(spacy_cli, base, corpus, workdir):
    config = Path(base, "config.cfg").read_text("utf8")
    other = "[components.other]\nfactory = 'not_installed'\n\n[components.ner]"
    damaged = {
        "broken": (config.replace("[nlp]", "[nlp"), "'broken'", "is damaged: "),
        "lacking": (
            config.replace("[components.ner]", other.replace("'", '"')).replace(
                '["ner"]', '["other","ner"]'
            ),
            "'lacking'",
            "a package that is not installed",
        ),
    }
    for name, (text, *words) in damaged.items():
        shutil.copytree(base, name)
        Path(name, "config.cfg").write_text(text, "utf8")
        pool = ("--pool", corpus / "pool.jsonl")
        train, dev = corpus / "train.spacy", corpus / "dev.spacy"
        for command in (
            ("evaluate", base, name, dev, *pool),
            ("init-config", "c.cfg", "--base", name, "--train", train, "--dev", dev)
            + pool,
        ):
            done = spacy_cli(*command)
            told = " ".join((done.stdout + done.stderr).split())
            assert done.exit_code == 1 and all(word in told for word in words), told


def test_cli_names_what_a_pipeline_needs_to_be_imported(
    spacy_cli, base, corpus, workdir, monkeypatch
):
    def load(source):
        raise ImportError("SudachiPy is not there")  # as spaCy's Japanese does

    monkeypatch.setattr("spacy_rehearse.teacher.spacy.load", load)
    done = spacy_cli("evaluate", base, base, corpus / "dev.spacy")
    told = " ".join(done.stdout.split())
    assert done.exit_code == 1
    assert "a package that is not installed: SudachiPy is not there" in told


def test_cli_says_so_where_it_may_not_look(
    spacy_cli, base, corpus, workdir, monkeypatch
):
    """In a folder that is someone else's, Path.exists raises."""
    exists = Path.exists

    def refused(path, **kwargs):
        if "theirs" in path.parts:
            raise PermissionError(13, "Permission denied", str(path))
        return exists(path, **kwargs)

    monkeypatch.setattr(Path, "exists", refused)
    monkeypatch.setattr(
        "os.access", lambda path, mode: "theirs" not in Path(path).parts
    )
    done = spacy_cli("check", "theirs/c.cfg")
    assert (
        done.exit_code == 1 and "Can't find theirs/c.cfg" in done.stdout + done.stderr
    )
    (workdir / "theirs").mkdir()
    pool = corpus / "pool.jsonl"
    done = spacy_cli("annotate", base, pool, "theirs/new/silver.spacy")
    assert done.exit_code == 1 and "can't be written" in done.stdout + done.stderr


def test_cli_init_config_tells_of_old_labels_that_the_gold_marks(
    spacy_cli, base, corpus, workdir
):
    docs = list(DocBin().from_disk(corpus / "train.spacy").get_docs(Vocab()))
    docs[0].set_ents([Span(docs[0], 0, 1, "PERSON")], default="unmodified")
    DocBin(docs=docs).to_disk("gold.spacy")
    given = ("--base", base, "--dev", corpus / "dev.spacy")
    given += ("--pool", corpus / "pool.jsonl")
    told = []
    for train in ("gold.spacy", corpus / "train.spacy"):
        done = spacy_cli("init-config", "c.cfg", "-F", "--train", train, *given)
        assert done.exit_code == 0
        told.append(
            "PERSON, which the base knows, too" in " ".join(done.stdout.split())
        )
    assert told == [True, False]


@pytest.mark.parametrize("lang, shortest", [("en", 20), ("zh", 7), ("ja", 7)])
def test_cli_short_texts_depend_on_the_language(lang, shortest):
    assert shortest_text(lang) == shortest
