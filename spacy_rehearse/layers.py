"""Layers by their names: "tok2vec", "embed", "encode", "lower", "upper" and others."""

from typing import Any, Dict, List, Sequence

from thinc.api import Model

ParamsT = Dict[str, Any]  # by name
# Along which axis of a parameter the outputs of the layer are.
OUTPUT_AXES = {
    "linear": {"W": 0, "b": 0},
    "precomputable_affine": {"W": 1, "b": 0, "pad": 2},
}


def layers_called(name: str, models: Sequence[Model], who: str) -> List[Model]:
    """Find the layers that are called so, by their own name or by a reference to them.

    name (str): The name.
    models (Sequence[Model]): Where to look: a recogniser, and what it listens to.
    who (str): Who asks, for the message.
    RETURNS (List[Model]): The layers, at least one.
    RAISES (ValueError): If there is none.
    """
    layers: Dict[str, List[Model]] = {}
    for model in models:
        for node in model.walk():
            layers.setdefault(node.name, []).append(node)
            for ref in node.ref_names:
                if node.has_ref(ref):
                    layers.setdefault(ref, []).append(node.get_ref(ref))
    if name not in layers:
        simple = sorted(x for x in layers if x.replace("_", "").isalnum())
        raise ValueError(f"{who}: no layer is called {name!r}: there are {simple}")
    found = layers[name]
    if any(hasattr(node, "upstream_name") for x in found for node in x.walk()):
        # It listens to shared embeddings, which are layers of another model.
        found = [*found, *(x for x in models if not _holds(x, found))]
    return found


def _holds(model: Model, layers: Sequence[Model]) -> bool:
    ids = {layer.id for layer in layers}
    return any(node.id in ids for node in model.walk())


def output_weights(parser: Any) -> ParamsT:
    """RETURNS (Dict[str, Array]): Copies of what a recogniser scores actions by.

    parser (Parser): The recogniser.
    """
    layer = output_layer(parser.model)
    return {name: layer.get_param(name).copy() for name in layer.param_names}


def output_layer(parser: Model) -> Model:
    """RETURNS (Model): The layer of a transition-based parser that scores actions."""
    return parser.get_ref("upper" if parser.attrs["has_upper"] else "lower")
