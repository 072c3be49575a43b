"""Methods against forgetting, each as a change to a config of `init-config`.

So each is something that `spacy train` runs, and `compare` runs them side by side.
"""

import copy
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple

from thinc.api import Config

from .gold import corpus_path
from .init_config import make_config
from .recipe import rate_schedule

REHEARSAL = "rehearsal"


class Method(NamedTuple):
    """A way to fine-tune.

    about (str): What it is, in a line.
    rehearses (bool): Whether the rehearsal component is in the pipeline. Without it,
        this is naive fine-tuning.
    changes (List[Callable[[Config], None]]): What to change, in place.
    is_own (bool): Whether it is the user's config that is changed, with its column and
        optimizer. Else it is one in which all weights learn.
    """

    about: str
    rehearses: bool
    changes: List[Callable[[Config], None]]
    is_own: bool = False

    @property
    def learns_from_pool(self) -> bool:
        """Whether raw text is learnt from. Else it only shows what is kept."""
        alone = {completion_alone, nothing_of_the_pool}
        return self.rehearses and alone.isdisjoint(self.changes)


def _component(config: Config) -> Dict[str, Any]:
    return config["components"]["rehearsal"]


def _initialize(config: Config) -> Dict[str, Any]:
    return config["initialize"]["components"]["rehearsal"]


def without_expert(config: Config) -> None:
    _initialize(config)["expert"] = None


def without_soft(config: Config) -> None:
    _component(config)["soft"] = 0.0


def without_margin(config: Config) -> None:
    _component(config)["margin"] = 0.0


def without_renaming(config: Config) -> None:
    _component(config)["rename"] = 0.0


def without_silver(config: Config) -> None:
    _component(config)["ratio"] = 0.0


def nothing_of_the_pool(config: Config) -> None:
    without_expert(config)
    without_silver(config)


def without_averages(config: Config) -> None:
    config["training"]["optimizer"]["use_averages"] = False


def low_rate(config: Config) -> None:
    config["training"]["optimizer"]["learn_rate"]["initial_rate"] /= 10


def textbook(config: Config) -> None:
    """Honnibal 2017: silver as if it were gold, one to one, and nothing else."""
    without_expert(config)
    without_soft(config)
    without_margin(config)
    without_renaming(config)
    _component(config).update(ratio=1.0, regularizers={})


def completion_alone(config: Config) -> None:
    """Gold completed by the teacher, and nothing from the pool."""
    textbook(config)
    without_silver(config)


def regularized(**regularizers: Dict[str, Any]) -> Callable[[Config], None]:
    def change(config: Config) -> None:
        _component(config)["regularizers"] = copy.deepcopy(regularizers)

    return change


def slow_features(config: Config) -> None:
    """A tenth of the rate for token vectors, the full rate above them."""
    config["training"]["optimizer"] = {
        "@optimizers": "spacy-rehearse.Discriminative.v1",
        "optimizer": config["training"]["optimizer"],
        "multipliers": {"tok2vec": 0.1},
    }


UNREGULARIZED = regularized()
L2SP = regularized(l2sp={"@misc": "spacy-rehearse.L2SP.v1", "strength": 10.0})
EWC = regularized(ewc={"@misc": "spacy-rehearse.EWC.v1", "strength": 1000.0})
FROZEN_TOK2VEC = regularized(
    freeze={"@misc": "spacy-rehearse.Freeze.v1", "parts": ["tok2vec"]}
)
NEW_ROWS = regularized(
    freeze={
        "@misc": "spacy-rehearse.Freeze.v1",
        "parts": ["tok2vec", "lower"],
        "rows": "old",
    }
)

METHODS: Dict[str, Method] = {
    REHEARSAL: Method("your config, as it is", True, [], is_own=True),
    "rehearsal-no-pool": Method(
        "the same, nothing learnt from the pool", True, [nothing_of_the_pool], True
    ),
    "naive": Method("fine-tuning on the gold", False, []),
    "naive-low-rate": Method("the same at a tenth of the rate", False, [low_rate]),
    "self-training": Method(
        "gold completed by the teacher, nothing else", True, [completion_alone]
    ),
    "l2sp": Method(
        "the same, weights pulled to their start (L2-SP)",
        True,
        [completion_alone, L2SP],
    ),
    "ewc": Method(
        "the same, the more the old labels need them (EWC)",
        True,
        [completion_alone, EWC],
    ),
    "slow-tok2vec": Method(
        "the same, a tenth of the rate for token vectors",
        True,
        [completion_alone, slow_features],
    ),
    "frozen-tok2vec": Method(
        "the same, token vectors frozen", True, [completion_alone, FROZEN_TOK2VEC]
    ),
    "new-rows": Method(
        "the same, all frozen but the new labels' rows",
        True,
        [completion_alone, NEW_ROWS],
    ),
    "textbook": Method("silver beside the gold, one to one", True, [textbook]),
    "distillation": Method(
        "silver, experts and distillation; all weights learn", True, [UNREGULARIZED]
    ),
    "distillation-l2sp": Method(
        "the same, weights pulled to their start", True, [L2SP]
    ),
    "distillation-ewc": Method("the same, by EWC", True, [EWC]),
}
# What makes a method what it is: all else of [training] is the user's.
OF_METHOD = (
    "frozen_components",
    "annotating_components",
    "score_weights",
    "logger",
    "before_to_disk",
    "optimizer",
)


def method_config(config: Config, method: str) -> Config:
    """Turn a user's config into that of a method.

    config (Config): A config with the rehearsal component, not interpolated.
    method (str): One of METHODS.
    RETURNS (Config): The config. It has the user's data and training settings.
    RAISES (ValueError): If there is no such method, or no rehearsal in the config.
    """
    if method not in METHODS:
        raise ValueError(f"no method {method!r}: there are {', '.join(METHODS)}")
    told = config.interpolate()
    check_has_rehearsal(told)
    n_updates = told["training"]["max_steps"]  # 0 for no end
    how, given = METHODS[method], _initialize(told)
    if how.is_own:
        own = copy.deepcopy(config)
        if n_updates:
            _end_rate(own, n_updates)
        for change in how.changes:
            change(own)
        return own
    made = make_config(
        given["teacher"],
        train=path_of(told, "train_corpus"),
        dev=path_of(told, "dev_corpus"),
        pool=[Path("pool")] if how.rehearses else None,
        labels=given.get("labels"),
        component=_component(told).get("component", "ner"),
        column=False,
    )
    # As they stand, variables and all, so that they can be overridden as before.
    own = copy.deepcopy(config)
    for section in ("paths", "system", "corpora"):
        made[section] = {**made.get(section, {}), **own.get(section, {})}
    made["training"].update(
        {k: v for k, v in own["training"].items() if k not in OF_METHOD}
    )
    _end_rate(made, n_updates or 20_000)
    if how.rehearses:
        for key in ("teacher", "pool", "heldout", "cache", "expert", "memory"):
            if key in given:
                _initialize(made)[key] = _initialize(own)[key]
    else:
        made["paths"].pop("pool", None)
    for change in how.changes:
        change(made)
    return made


def _end_rate(config: Config, n_updates: int) -> None:
    """Let the learning rate end with the training, for all methods alike."""
    rate = rate_schedule(config["training"]["optimizer"])
    if isinstance(rate, dict) and "total_steps" in rate:
        rate["total_steps"] = n_updates


def check_has_rehearsal(config: Config) -> None:
    """Raise a ValueError if there is no rehearsal component, or by another name, or one
    that is not told of its teacher.

    config (Config): A config, interpolated.
    """
    components = config.get("components", {})
    if "rehearsal" in components:
        if "rehearsal" in config.get("initialize", {}).get("components", {}):
            return
        raise ValueError(
            "the config has no section [initialize.components.rehearsal]: it names the "
            "teacher and the pool"
        )
    for name, block in components.items():
        if block.get("factory") == "rehearsal":
            raise ValueError(
                f"the rehearsal component is called {name!r}. `spacy train` takes any "
                "name, but `check` and `compare` look for 'rehearsal'"
            )
    raise ValueError(
        "the config has no rehearsal component: write one with `python -m spacy "
        "rehearse init-config`"
    )


def path_of(config: Config, name: str) -> Path:
    """Find the file of a corpus that is read by spaCy's own reader.

    config (Config): A config, interpolated.
    name (str): train_corpus or dev_corpus.
    RETURNS (Path): The file or folder.
    RAISES (ValueError): If the corpus has no path.
    """
    path = corpus_path(config, name)
    if path is None:
        raise ValueError(
            f"[training] {name} is {config['training'][name]!r}, which has no path: "
            "compare needs gold in a .spacy file, read by spacy.Corpus.v1"
        )
    return path
