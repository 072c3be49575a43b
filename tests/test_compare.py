import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import spacy
import srsly
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import DocBin
from spacy.util import load_config
from thinc.compat import has_gpu
from typer.testing import CliRunner

from spacy_rehearse import compare
from spacy_rehearse.cli import rehearse_cli
from spacy_rehearse.cli.compare import _is_ours
from spacy_rehearse.compare import (
    check_inputs,
    do_run,
    finished,
    front,
    hold_out,
    plan_runs,
    trained,
)
from spacy_rehearse.memory import Exemplar, Memory, save_memory
from spacy_rehearse.methods import METHODS, method_config
from spacy_rehearse.recipe import memory_settings, rate_schedule
from spacy_rehearse.results import Measure, as_markdown, as_table, gather, pareto_front

from .util import hear_ctrl_c, make_docs, quick_config


@pytest.fixture
def config(base, corpus, workdir):
    path = quick_config(
        base,
        corpus,
        workdir / "config.cfg",
        training__max_steps=60,
        training__eval_frequency=30,
        components__rehearsal__margin=1.0,
    )
    return load_config(path, interpolate=False)


@pytest.mark.slow
def test_methods_are_changes_to_the_users_config(config):
    made = {name: method_config(config, name) for name in METHODS}
    assert made["rehearsal"] == config
    no_pool = made["rehearsal-no-pool"]
    for key in ("training", "nlp", "corpora", "paths"):
        assert no_pool[key] == config[key]
    for name, other in made.items():
        rehearses = "rehearsal" in other["nlp"]["pipeline"]
        assert rehearses == METHODS[name].rehearses
        assert other["training"]["max_steps"] == 60
        assert other["training"]["batcher"] == config["training"]["batcher"]
        assert other.interpolate()["corpora"] == config.interpolate()["corpora"]
    initial = {
        name: other.interpolate()["training"]["optimizer"]
        for name, other in made.items()
    }
    rates = {
        name: initial[name]["learn_rate"]["initial_rate"]
        for name in ("naive", "naive-low-rate")
    }
    assert rates["naive-low-rate"] == pytest.approx(rates["naive"] / 10)
    assert "multipliers" in initial["slow-tok2vec"]
    parts = {
        n: made[n]["components"]["rehearsal"] for n in made if METHODS[n].rehearses
    }
    assert parts["self-training"]["ratio"] == 0 and parts["textbook"]["ratio"] == 1
    assert set(parts["ewc"]["regularizers"]) == {"ewc"}
    assert not parts["distillation"]["regularizers"]


@pytest.mark.parametrize("wrapped", [False, True])
def test_methods_end_the_rate_with_the_training(config, wrapped):
    training = config["training"]
    training["optimizer"]["learn_rate"] = {
        "@schedules": "warmup_linear.v1",
        "warmup_steps": 5,
        "total_steps": 1000,
        "initial_rate": 0.003,
    }
    if wrapped:
        training["optimizer"] = {
            "@optimizers": "spacy-rehearse.Discriminative.v1",
            "optimizer": training["optimizer"],
            "multipliers": {"tok2vec": 0.1},
        }

    def ends(method):
        made = method_config(config, method)
        return rate_schedule(made["training"]["optimizer"])["total_steps"]

    assert ends("rehearsal") == ends("naive") == training["max_steps"] == 60
    training["max_steps"] = 0  # max_epochs ends it: the user knows when
    assert ends("rehearsal") == 1000


def test_methods_that_do_not_exist_are_named(config):
    with pytest.raises(ValueError, match="no method 'magic': there are rehearsal, "):
        method_config(config, "magic")
    naive = method_config(config, "naive")
    with pytest.raises(ValueError, match="has no rehearsal component"):
        method_config(naive, "textbook")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:no checkpoint scored above 0")
def test_compare_scores_a_run_and_knows_it_again(config, corpus, workdir, monkeypatch):
    runs = plan_runs(config, ["naive", "rehearsal"], [0, 1], workdir / "runs")
    assert [(x.method, x.seed) for x in runs] == [
        ("naive", 0), ("rehearsal", 0), ("naive", 1), ("rehearsal", 1),
    ]  # fmt: skip
    assert len({run.digest for run in runs}) == 4
    naive = runs[0]
    assert finished(naive) is None
    scores = do_run(naive)
    assert finished(naive) == scores
    assert scores["new_f"] > 0.3 and scores["retention"] < 0.7
    assert scores["old_f"] is None  # dev marks new labels only
    assert spacy.load(workdir / "runs" / "naive-0").pipe_names == ["ner"]
    (again,) = plan_runs(config, ["naive"], [0], workdir / "runs")
    assert finished(again) == scores
    config["initialize"]["components"]["rehearsal"]["heldout"] = 0.2
    (other,) = plan_runs(config, ["naive"], [0], workdir / "runs")
    assert finished(other) is None  # scored on other texts
    test = corpus / "train.spacy"
    (other,) = plan_runs(config, ["naive"], [0], workdir / "runs", test)
    assert finished(other) is None and not trained(other)  # `heldout` is another
    config["initialize"]["components"]["rehearsal"]["heldout"] = 0.1
    (other,) = plan_runs(config, ["naive"], [0], workdir / "runs", test)
    assert finished(other) is None and trained(other) == scores
    with monkeypatch.context() as patch:
        patch.setattr(compare, "fit", None)  # only scored anew
        rescored = do_run(other)
    assert finished(other) == rescored and finished(again) is None
    assert rescored["seconds"] == scores["seconds"]
    assert json.loads(other.result.read_text())["scored_on"].startswith(str(test))
    code = workdir / "own.py"
    digests = set()
    for content in ("a = 1\n", "a = 12\n"):
        code.write_text(content)
        runs = plan_runs(config, ["naive"], [0], workdir / "runs", code=code)
        digests.add(runs[0].digest)
    assert len(digests) == 2


def test_compare_scores_on_what_the_training_holds_out(config, corpus, workdir, capfd):
    texts = [x["text"] for x in srsly.read_jsonl(corpus / "pool.jsonl")]
    known = [Exemplar(text, (), (), ("ORG",), "first") for text in texts]
    save_memory(Memory(known[::2], {"first": "x"}), workdir / "memory.jsonl")
    settings = config["initialize"]["components"]["rehearsal"]
    policy = {"@misc": "spacy-rehearse.Rare.v1"}
    settings["memory"] = {"capacity": 999, "save_to": "new.jsonl", "policy": policy}
    settings["memory"]["path"] = "memory.jsonl"
    capfd.readouterr()
    heldout = {item.text for item in hold_out(config).heldout}
    assert capfd.readouterr().err == ""  # in the log of a run, it would mislead
    assert heldout and heldout.isdisjoint(texts[::2])
    assert not (workdir / "new.jsonl").exists()  # nothing was trained


def test_compare_does_it_again_when_base_or_memory_changed(config, workdir):
    settings = config["initialize"]["components"]["rehearsal"]
    shutil.copytree(config["paths"]["base"], "own")
    config["paths"]["base"] = "own"
    config["paths"]["kept"] = "memory.jsonl"
    memory = {"path": "${paths.kept}", "save_to": "${paths.kept}", "capacity": 9}
    settings["memory"] = memory
    config["training"]["logger"] = {
        "@loggers": "spacy-rehearse.ConsoleLogger.v1",
        "output_file": "log.jsonl",
        "also": {"@loggers": "spacy.ConsoleLogger.v3", "output_file": "log.jsonl"},
    }
    digests = []
    for file in ("memory.jsonl", "own/meta.json", "memory.jsonl"):
        path = workdir / file
        path.write_text((path.read_text() if path.exists() else "") + "\n")
        (run,) = plan_runs(config, ["rehearsal"], [0], workdir / "runs")
        digests.append(run.digest)
        own = run.config["initialize"]["components"]["rehearsal"]["memory"]
        assert own["path"] == "memory.jsonl"
    assert len(set(digests)) == 3
    assert "log.jsonl" not in run.config.to_str()
    assert settings["memory"] == memory  # the user's config is the user's


def test_compare_seeds_every_method_and_leaves_the_users_memory_alone(config, workdir):
    memory = {"path": "memory.jsonl", "save_to": "memory.jsonl", "capacity": 9}
    config["initialize"]["components"]["rehearsal"]["memory"] = memory
    config["training"]["seed"] = 7
    for run in plan_runs(config, ["rehearsal", "textbook"], [3], workdir / "runs"):
        told = run.config.interpolate()
        assert told["system"]["seed"] == told["training"]["seed"] == 3
        kept = told["initialize"]["components"]["rehearsal"]["memory"]
        assert kept["path"] is None
        assert kept["save_to"] == str(workdir / "runs" / f"{run.method}-3.memory.jsonl")


SCORES = [
    {"method": "a", "x": 0.5, "y": None},
    {"method": "a", "x": 0.7, "y": None},
    {"method": "b", "x": 0.9, "y": None},
]
MEASURES = (
    Measure("x", lambda run: run["x"]),
    Measure("y", lambda run: run["y"]),
)


def test_results_show_mean_and_spread_and_leave_out_what_is_not_known():
    results = gather(SCORES, ["b", "a", "c"], MEASURES)
    assert results == {"b": {"x": [0.9]}, "a": {"x": [0.5, 0.7]}}
    rows = as_table(results, MEASURES)
    assert rows == [["", "seeds", "x"], ["b", "1", "90.0"], ["a", "2", "60.0 ± 14.1"]]
    assert as_markdown(rows).splitlines()[1] == "| --- | --- | --- |"
    assert as_markdown([["A|B"]]).splitlines()[0] == "| A\\|B |"


point = st.tuples(st.floats(0, 1), st.floats(0, 1))


@given(st.dictionaries(st.text("ab", min_size=1), point, min_size=1))
def test_results_front_is_what_nothing_beats(points):
    best = pareto_front(points)
    assert best
    for name, (x, y) in points.items():
        beaten = any(a >= x and b >= y and (a, b) != (x, y) for a, b in points.values())
        assert (name in best) != beaten


def test_results_front_by_what_is_learnt_and_kept():
    results = {
        "naive": {"new F": [0.8], "retention": [0.1]},
        "good": {"new F": [0.7, 0.8], "retention": [0.9]},
        "worse": {"new F": [0.7], "retention": [0.8]},
        "unknown": {"new F": [0.9]},
    }
    assert front(results) == ["naive", "good"]


@pytest.mark.parametrize(
    "args, words",
    [
        (["--methods", "magic"], "no method 'magic'"),
        (["--paths.dev", "no.spacy"], "no.spacy does not exist"),
        (["--components.rehearsal.ration", "1"], "ration: "),
        (["--seeds", "one"], "expected whole numbers"),
        (["--workers", "0"], "at least one"),
        (["--test", "no.spacy"], "Can't find no.spacy"),
        (["--test", "config.cfg"], "is not a .spacy file"),
        (["--test", "old.spacy"], "old.spacy marks none of the labels"),
        pytest.param(
            ["--gpu-id", "1"],
            "--gpu-id is 1, and Thinc finds no GPU",
            marks=pytest.mark.skipif(has_gpu, reason="there is one"),
        ),
    ],
)
def test_compare_refuses_what_it_can_not_do(config, workdir, args, words):
    docs = make_docs(spacy.blank("xx"), 5, ("ORG",), seed=3)
    DocBin(docs=docs).to_disk("old.spacy")
    args = ["compare", "config.cfg", "--output", "out", *args]
    done = CliRunner().invoke(rehearse_cli, args)
    assert done.exit_code == 1 and words in " ".join(done.output.split())
    assert not (workdir / "out").exists()


@pytest.mark.parametrize(
    "setting", ["training.optimizer.L2", "components.rehearsal.soft"]
)
def test_compare_says_what_is_for_rehearsal_alone(
    config, workdir, monkeypatch, setting
):
    monkeypatch.setattr("spacy_rehearse.cli.compare._do_all", lambda *given: [])
    args = ["compare", "config.cfg", "--output", "out", f"--{setting}", "0.5"]
    for methods, warns in (("rehearsal", False), ("rehearsal,naive", True)):
        done = CliRunner().invoke(rehearse_cli, [*args, "--methods", methods])
        assert ("rehearsal-no-pool alone" in " ".join(done.output.split())) == warns


def test_compare_trains_nothing_on_dev_where_it_stands_for_the_pool(
    config, corpus, workdir
):
    pool = f"--paths.pool={workdir / '..' / workdir.name / 'dev.spacy'}"
    shutil.copy(corpus / "dev.spacy", workdir / "dev.spacy")
    args = ["compare", "config.cfg", "--output", "out", "--paths.dev=dev.spacy", pool]
    for methods, which in (("rehearsal", "rehearsal"), ("naive,textbook", "textbook")):
        done = CliRunner().invoke(rehearse_cli, [*args, "--methods", methods])
        assert done.exit_code == 1
        told = " ".join(done.output.split())
        assert f"and {which} would learn from it" in told
    dev = corpus / "dev.spacy"
    config["paths"]["pool"], config["paths"]["dev"] = str(dev), str(dev)
    for run in plan_runs(config, ["rehearsal-no-pool", "naive"], [0], workdir):
        check_inputs(run)


def test_compare_tells_of_labels_that_the_test_set_never_marks(
    config, base, workdir, monkeypatch
):
    monkeypatch.setattr("spacy_rehearse.cli.compare._do_all", lambda *given: [])
    for name, labels in (("test", ("ORG",)), ("train", ("ORG", "GADGET"))):
        docs = make_docs(spacy.blank("xx"), 20, labels, seed=4)
        DocBin(docs=docs).to_disk(f"{name}.spacy")
    args = ["compare", "config.cfg", "--output", "out", "--test", "test.spacy"]
    args.append('--initialize.components.rehearsal.labels=["GADGET","ORG"]')
    args.append("--paths.train=train.spacy")
    done = CliRunner().invoke(rehearse_cli, args)
    assert "test.spacy marks no GADGET" in " ".join(done.output.split())


def test_compare_keeps_out_of_a_folder_with_other_files(config, workdir):
    (workdir / "mine").mkdir()
    (workdir / "mine" / "gold.spacy").touch()
    args = ["compare", "config.cfg", "--output", "mine"]
    done = CliRunner().invoke(rehearse_cli, args)
    assert done.exit_code == 1 and "mine holds other files" in done.output


def test_compare_keeps_out_of_a_folder_with_runs_of_something_else(config, workdir):
    (workdir / "mine" / "runs").mkdir(parents=True)
    (workdir / "mine" / "runs" / "events.tfevents").touch()
    (workdir / "mine" / "results.json").write_text("mine")
    done = CliRunner().invoke(rehearse_cli, ["compare", "config.cfg", "-o", "mine"])
    assert done.exit_code == 1 and "mine holds other files" in done.output
    assert (workdir / "mine" / "results.json").read_text() == "mine"


def test_compare_goes_on_in_a_folder_without_a_run_yet(tmp_path):
    assert _is_ours(tmp_path) and _is_ours(tmp_path / "new")
    (tmp_path / "runs").mkdir()
    assert _is_ours(tmp_path)
    (tmp_path / "runs" / "naive-0.log").touch()
    assert _is_ours(tmp_path)


def test_compare_needs_no_section_of_system(config, workdir):
    del config["system"]
    config["training"]["seed"] = 0
    config["training"]["gpu_allocator"] = None
    (run,) = plan_runs(config, ["rehearsal"], [3], workdir / "runs")
    assert run.config["training"]["seed"] == run.config["system"]["seed"] == 3


def test_compare_replaces_nothing_that_it_reads(config, base, corpus, workdir):
    runs = workdir / "out" / "runs"
    shutil.copytree(base, runs / "rehearsal-0")
    save_memory(Memory([], {}), runs / "naive-1.memory.jsonl")
    args = ["compare", "config.cfg", "--output", "out", "--force", "--seeds", "0"]
    args += ["--methods", "naive,rehearsal", "--paths.base", str(runs / "rehearsal-0")]
    done = CliRunner().invoke(rehearse_cli, args)
    assert done.exit_code == 1
    assert "would be replaced by the run rehearsal-0" in " ".join(done.output.split())
    (run,) = plan_runs(config, ["naive"], [0], runs)
    check_inputs(run)
    config["initialize"]["components"]["rehearsal"]["memory"] = memory_settings(
        str(runs / "rehearsal-1.memory.jsonl")
    )
    (run,) = plan_runs(config, ["rehearsal"], [1], runs)
    check_inputs(run)  # there is no such file yet
    shutil.copy(runs / "naive-1.memory.jsonl", runs / "rehearsal-1.memory.jsonl")
    (run,) = plan_runs(config, ["rehearsal"], [1], runs)
    with pytest.raises(ValueError, match="memory.jsonl would be replaced"):
        do_run(run)
    assert (runs / "rehearsal-1.memory.jsonl").exists()


@pytest.mark.slow
def test_compare_goes_on_after_an_interruption(config, workdir):
    command = [sys.executable, "-m", "spacy", "rehearse", "compare", "config.cfg"]
    command += ["--output", "out", "--methods", "naive,self-training", "--seeds", "0"]
    first = workdir / "out" / "runs" / "naive-0.json"
    process = subprocess.Popen(command, start_new_session=True, preexec_fn=hear_ctrl_c)
    for _ in range(600):
        if first.exists():
            break
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) == 130
    before = first.stat().st_mtime
    done = subprocess.run([*command, "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert first.stat().st_mtime == before
    told = json.loads(done.stdout)
    assert set(told["results"]) == {"naive", "self-training"} and told["front"]
    page = (workdir / "out" / "results.html").read_text()
    assert "<svg" in page and "self-training" in page
    assert "| naive | 1 |" in (workdir / "out" / "results.md").read_text()
    # What is there already is not lost from the results when less is asked for.
    less = [*command[:-4], "--methods", "naive", "--seeds", "0", "--json"]
    done = subprocess.run(less, capture_output=True, text=True)
    assert set(json.loads(done.stdout)["results"]) == {"naive", "self-training"}
    # Nor are runs of other settings replaced, unless that is asked for.
    other = [*less, "--training.dropout", "0.3"]
    done = subprocess.run(other, capture_output=True, text=True)
    assert done.returncode == 1 and "naive (seed 0)" in done.stdout
    assert first.stat().st_mtime == before
    done = subprocess.run([*other, "--force"], capture_output=True, text=True)
    assert done.returncode == 0 and first.stat().st_mtime > before
    assert "naive (seed 0) is done (1 of 1)" in done.stderr
