import io
import json

import pytest
import spacy
from spacy.cli.train import train
from spacy.scorer import PRFScore
from spacy.util import registry

from spacy_rehearse.evaluate import LabelScore
from spacy_rehearse.loggers import create_console_logger_v1

from .util import quick_config


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:no checkpoint scored above 0")
def test_loggers_columns_can_be_told_apart(base, corpus, workdir, capfd):
    config = quick_config(base, corpus, "c.cfg", training__max_steps=20)
    train(config, workdir / "out")
    lines = capfd.readouterr().out.splitlines()
    (header,) = [line for line in lines if line.startswith("E ")]
    columns = header.replace("LOSS ", "LOSS_").split()
    assert columns[:7] == "E # LOSS_SILVER LOSS_NER NEW_F RETENTION FLOOD".split()
    assert columns[-1] == "SCORE" and len(set(columns)) == len(columns)
    assert not [column for column in columns if "..." in column]


@pytest.mark.parametrize("bar", [False, None, "eval"])
def test_loggers_take_the_settings_of_spacys_own_whatever_its_version(bar):
    settings = {"@loggers": "spacy-rehearse.ConsoleLogger.v1", "progress_bar": bar}
    assert callable(registry.resolve({"logger": settings})["logger"])


def test_loggers_flood_has_its_real_size_and_the_rest_is_in_percent(tmp_path):
    nlp = spacy.blank("xx")
    nlp.add_pipe("rehearsal")
    nlp.config["training"].update(max_steps=1, eval_frequency=1)
    logger = create_console_logger_v1(output_file=tmp_path / "log.jsonl")
    out = io.StringIO()
    log, finalize = logger(nlp, out, out)
    log(None)
    scores = {
        "rehearsal_new_f": 0.5,
        "rehearsal_flood": 2.5,
        "rehearsal_retention": 1.0,
    }
    info = {
        "epoch": 0,
        "step": 0,
        "score": 0.66,
        "losses": {"rehearsal": 3.0},
        "other_scores": scores,
    }
    log(info)
    finalize()
    (logged,) = map(json.loads, (tmp_path / "log.jsonl").read_text().splitlines())
    assert logged["scores"]["flood"] == pytest.approx(2.5)
    assert logged["scores"]["new_f"] == 50 and logged["scores"]["retention"] == 100
    assert logged["losses"] == {"silver": 3.0}
    assert info["other_scores"] is scores and scores["rehearsal_flood"] == 2.5


@pytest.mark.parametrize(
    "scores, best",
    [((0.2, 0.5, 0.4), 1), ((0.2, 0.5, 0.5), 2), ((0.0, 0.0), 1), ((0.0,), 0)],
)
def test_loggers_tell_of_the_checkpoint_that_spacy_saves(scores, best):
    nlp = spacy.blank("xx")
    rehearsal = nlp.add_pipe("rehearsal")
    nlp.config["training"].update(max_steps=1, eval_frequency=1)
    out = io.StringIO()
    log, finalize = create_console_logger_v1()(nlp, out, out)
    for step, score in enumerate(scores):
        rehearsal.labels_scored = [LabelScore(f"STEP{step}", None, None, 0.5)]
        info = {"epoch": 0, "step": step, "score": score, "losses": {"rehearsal": 0.0}}
        log({**info, "other_scores": {}})
    finalize()
    table = out.getvalue().split("At the best checkpoint")[1]
    assert [x for x in table.split() if "STEP" in x] == [f"STEP{best}"]


def test_loggers_tell_another_logger_all_and_close_with_a_table_of_the_labels():
    nlp = spacy.blank("xx")
    rehearsal = nlp.add_pipe("rehearsal")
    nlp.config["training"].update(max_steps=1, eval_frequency=1)
    rehearsal.labels_scored = [
        LabelScore("ORG", PRFScore(tp=9, fn=1), 0.8, 0.75),
        LabelScore("GADGET", None, None, 0.5),
        LabelScore("GPE", PRFScore(tp=2, fn=18), None, None),
        LabelScore("LAW", PRFScore(), None, None),
        LabelScore("CITY", None, None, 0.04, is_learnt=True),
        LabelScore("ROAD", None, None, None, is_learnt=True),
        LabelScore("NORP", PRFScore(tp=2, fn=18), 0.3, 0.6, is_learnt=True),
    ]
    heard = []

    def another(nlp, stdout, stderr):
        return heard.append, lambda: heard.append("closed")

    out = io.StringIO()
    log, finalize = create_console_logger_v1(also=another)(nlp, out, out)
    info = {
        "epoch": 0,
        "step": 0,
        "score": 0.66,
        "losses": {"rehearsal": 3.0},
        "other_scores": {"rehearsal_new_f": 0.5},
    }
    for step in (None, info):
        log(step)
    finalize()
    assert heard == [None, info, "closed"]
    told = [line.split() for line in out.getvalue().splitlines()]
    assert ["ORG", "10", "94.7", "80.0", "75.0"] in told
    assert ["GADGET", "new", "50.0"] in told
    assert ["LAW", "0"] in told
    assert ["NORP", "(corrected)", "20", "18.2", "30.0", "60.0"] in told
    assert "Not kept, though others are: GPE (18.2)." in out.getvalue()
    assert "Hardly learnt: CITY (4.0)." in out.getvalue()
