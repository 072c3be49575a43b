"""The first network: what was there before all columns, and what a copy copies."""

from typing import Any, List, NamedTuple

import numpy
from spacy.language import Language
from thinc.api import Config, Model
from thinc.util import to_numpy

from .column_config import ConfigT, first_tok2vec, hands_embeddings_on, n_columns
from .listeners import upstream_of


class FirstNetwork(NamedTuple):
    """A recogniser's pretrained weights, up to the hidden units.

    tok2vec (Mapping[str, Any]): The config of what makes its token vectors.
    layers (List[Model]): The same, one layer after the other.
    width (int): Width of the token vectors.
    n_units (int): Number of its hidden units, the first ones. 0 if it is no network of
        its own any more, as it was trained as one with the columns.
    """

    tok2vec: ConfigT
    layers: List[Model]
    width: int
    n_units: int


def first_network(nlp: Language, component: str) -> FirstNetwork:
    """Find the first network of a recogniser.

    nlp (Language): The pipeline.
    component (str): The recogniser: spaCy's transition-based parser.
    RETURNS (FirstNetwork): Its parts. What makes its token vectors is a shared tok2vec
        if it listens to one.
    """
    pipe: Any = nlp.get_pipe(component)
    pipes = Config(nlp.config).interpolate()["components"]
    config = pipes[component]["model"]
    *_, linear = pipe.model.get_ref("tok2vec").layers
    vectors = pipe.model.get_ref("tok2vec").layers[0]
    n = n_columns(config)
    for _ in range(n):
        vectors = vectors.layers[0].layers[0]
    tok2vec, layers = first_tok2vec(config), [vectors]
    if hands_embeddings_on(config):
        embed, both = vectors.layers
        layers = [embed, both.layers[0].layers[0]]
    width = layers[-1].get_dim("nO") if n else linear.get_dim("nI")
    for name in upstream_of(nlp, component):
        shared: Any = nlp.get_pipe(name)
        tok2vec, layers = pipes[name]["model"], [shared.model]
    return FirstNetwork(tok2vec, layers, width, _n_units(pipe.model, width))


def _n_units(parser: Model, width: int) -> int:
    """RETURNS (int): How many hidden units, from the first one on, read no column, if
    none of them does in the layer above, either.
    """
    *_, linear = parser.get_ref("tok2vec").layers
    reads_columns = to_numpy(linear.get_param("W"))[:, width:].any(axis=1)
    n = int(numpy.append(reads_columns, True).argmax())
    if parser.attrs["has_upper"]:  # else, `lower` makes the scores
        lower = to_numpy(parser.get_ref("lower").get_param("W"))
        n = 0 if lower[:, :n, :, n:].any() else n
    return n
