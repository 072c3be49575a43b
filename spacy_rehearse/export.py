"""Export: an ordinary pipeline, as if the base had always known the new labels."""

import copy
import re
from typing import Any, Dict, Mapping, Optional, Sequence, Set

from spacy.language import Language
from thinc.api import Config

from .scorer import SCORE_WEIGHTS, default_score_weights
from .session import Session

PREFIX = "spacy-rehearse."
# What spaCy computes anew for each pipeline, so that the base's must not be kept.
COMPUTED = {
    "lang", "spacy_version", "spacy_git_version", "vectors", "labels", "pipeline",
    "components", "disabled", "performance", "spacy_rehearse",
}  # fmt: skip
PATH_VARIABLE = re.compile(r"\$\{paths[.:]([^}.:]+)")
# spaCy and this plugin, and no other one.
NOT_NEEDED = re.compile(r"spacy([-_.]rehearse)?\b(?![-_.])", re.IGNORECASE)
UNNAMED = {"name": "pipeline", "version": "0.0.0"}  # spaCy's own defaults


def without_rehearsal(
    nlp: Language,
    name: str,
    session: Session,
    *,
    scores: Mapping[str, Optional[float]],
    counts: Mapping[str, int],
    meta: Mapping[str, str],
) -> Language:
    """Make a copy of a pipeline that needs no plugin.

    nlp (Language): The pipeline in training. It is not changed.
    name (str): The name of the rehearsal component.
    session (Session): The training run.
    scores (Mapping[str, Optional[float]]): The last scores.
    counts (Mapping[str, int]): What became of the gold.
    meta (Mapping[str, str]): What meta.json is to say, whatever the base's says.
    RETURNS (Language): A shallow copy: the pipes are the same objects.
    """
    plain = copy.copy(nlp)
    plain._components = [(n, pipe) for n, pipe in nlp._components if n != name]
    plain._pipe_meta = {n: m for n, m in nlp._pipe_meta.items() if n != name}
    plain._pipe_configs = {n: c for n, c in nlp._pipe_configs.items() if n != name}
    plain._disabled = nlp._disabled - {name}
    base = session.teacher.nlp
    plain._config = plain_config(nlp.config, base.config, session.teacher.component)
    plain._config["training"].update(_about_pipes(base, plain.component_names))
    plain._meta = _plain_meta(nlp, plain, session, scores)
    plain._meta["spacy_rehearse"]["gold"] = dict(counts)
    if session.experts:
        plain._meta["spacy_rehearse"]["experts"] = {
            "precision": [expert.score.precision for expert in session.experts],
            "recall": [expert.score.recall for expert in session.experts],
            "pool": _rounded(session.trial._asdict()),
            **session.found,
            "right_of_overlaps": {x: list(n) for x, n in session.overlaps.items()},
        }
    plain._meta.update(meta)
    return plain


def _rounded(values: Dict[str, Optional[float]]) -> Dict[str, Optional[float]]:
    return {x: None if y is None else round(y, 3) for x, y in values.items()}


def plain_config(config: Config, base: Config, component: str) -> Config:
    """Take all that belongs to this plugin, the teacher or the pool out of a config.

    config (Config): The config of the training.
    base (Config): The teacher's own config. Its [initialize] comes back.
    component (str): The pipe that learnt: it is no longer initialized as it was.
    RETURNS (Config): A config that spaCy alone can train with.
    """
    plain, base = copy.deepcopy(config), base.interpolate()
    plain["initialize"] = base["initialize"]
    plain["initialize"]["components"].pop(component, None)
    for section in ("training", "corpora", "nlp"):
        plain[section] = _scrub(plain[section], base.get(section, {}))
    plain["paths"] = _used_paths(plain)
    return plain


def _about_pipes(base: Language, pipes: Sequence[str]) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): That part of the base's [training] that says which
    pipes learn and what counts, for those of its pipes that are saved.
    """
    training = base.config.interpolate()["training"]
    told = {
        key: [name for name in training[key] if name in pipes]
        for key in ("frozen_components", "annotating_components")
    }
    scores = {x: set(default_score_weights(base, x)) for x in base.component_names}
    given = set().union(*(scores.pop(name) for name in pipes if name in scores))
    lost = set().union(*scores.values()) - given
    weights = training["score_weights"].items()
    return {**told, "score_weights": {x: y for x, y in weights if x not in lost}}


def _used_paths(config: Mapping[str, Any]) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): What other sections need of [paths], and what that is
    made of.
    """
    paths = config.get("paths", {})
    used: Set[str] = set()
    found = set(PATH_VARIABLE.findall(str({**config, "paths": {}})))
    while found - used:
        used |= found
        found = set(PATH_VARIABLE.findall(str([paths.get(key) for key in used])))
    return {key: value for key, value in paths.items() if key in used}


def _scrub(section: Any, base: Any) -> Any:
    """Put the base's value, or none, in place of each block of this plugin."""
    if not isinstance(section, dict):
        return section
    scrubbed = {}
    for key, value in section.items():
        before = base.get(key) if isinstance(base, dict) else None
        scrubbed[key] = before if _is_ours(value) else _scrub(value, before)
    return scrubbed


def _is_ours(value: Any) -> bool:
    return isinstance(value, dict) and any(
        key.startswith("@") and str(name).startswith(PREFIX)
        for key, name in value.items()
    )


def _plain_meta(
    nlp: Language,
    plain: Language,
    session: Session,
    scores: Mapping[str, Optional[float]],
) -> Dict[str, Any]:
    base = {k: v for k, v in session.teacher.nlp.meta.items() if k not in COMPUTED}
    own = {k: v for k, v in nlp.meta.items() if v and UNNAMED.get(k) != v}
    meta = {**base, **own}
    # `spacy package` adds spaCy itself. Others are the base's: a tokenizer's, say.
    required = [x for x in meta.pop("requirements", []) if not NOT_NEEDED.match(x)]
    if required:
        meta["requirements"] = required
    performance = nlp.meta.get("performance", {})
    meta["performance"] = plain_performance(performance, plain, session, scores)
    measured = {key: value for key, value in scores.items() if value is not None}
    meta["spacy_rehearse"] = {**session.about, "scores": measured}
    return copy.deepcopy(meta)


def plain_performance(
    performance: Mapping[str, Any],
    nlp: Language,
    session: Session,
    scores: Mapping[str, Optional[float]],
) -> Dict[str, Any]:
    """Leave out scores that were not measured, or that would mislead.

    spaCy writes 0.0 for a score that a dev set can't give, e.g. tag_acc, or 1.0 for
    sentences, if one text is a single token: of a frozen pipe the base's own figure
    stands there. And where dev marks only new labels, every right old entity counts as
    an error in ents_f.

    performance (Mapping[str, Any]): What spaCy put into the meta.
    nlp (Language): The pipeline.
    session (Session): The training run.
    scores (Mapping[str, Optional[float]]): The last rehearsal scores.
    RETURNS (Dict[str, Any]): What may be shipped.
    """
    target, ours = session.teacher.component, nlp.component_names
    own = set(default_score_weights(nlp, target))
    whose = {
        key: name for name in ours for key in {*default_score_weights(nlp, name)} - own
    }
    before = session.teacher.nlp.meta.get("performance", {})
    if performance == before:  # a loop of one's own, which put nothing into the meta
        performance = {key: value for key, value in scores.items() if value is not None}
    partial = session.old_labels and scores.get("rehearsal_old_f") is None
    kept = {
        key: value
        for key, value in performance.items()
        if not (key in whose and not _has_figure(value))
        and not (key.endswith("_loss") and key[: -len("_loss")] not in ours)
        and not (partial and key.startswith("ents_"))
        and not (key in SCORE_WEIGHTS and scores.get(key) is None)
    }
    for key, value in before.items():
        if whose.get(key) in session.frozen:
            kept[key] = value
    return kept


def _has_figure(value: Any) -> bool:
    """RETURNS (bool): Whether a score, or one of those by type, is not 0."""
    if isinstance(value, dict):
        return any(map(_has_figure, value.values()))
    return bool(value)
