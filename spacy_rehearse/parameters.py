"""Parameters of a model: thinc's own, and PyTorch's, which its shims hide."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Iterator, Optional, Tuple

from thinc.api import Model
from thinc.util import torch2xp

KeyT = Tuple[int, str]


@dataclass(frozen=True)
class Parameter:
    """One array of weights.

    key (Tuple[int, str]): What an optimizer knows it by: the id of a layer or of a
        shim, and a name.
    place (Tuple[int, str]): Where it is in the model: the same in a copy of it.
    layer (str): The name of its layer.
    weights (FloatsXd): The weights themselves: changing them changes the model.
    gradient (Optional[FloatsXd]): The gradient itself. None if there is none.
    drop_gradient (Callable[[], Any]): Takes the gradient off. One of zeros would not
        do: weight decay and momentum would still move the weights.
    """

    key: KeyT
    place: KeyT
    layer: str
    weights: Any
    gradient: Optional[Any]
    drop_gradient: Callable[[], Any]


def parameters(model: Model) -> Iterator[Parameter]:
    """YIELDS (Parameter): Every parameter that has a value, in a fixed order."""
    for number, node in enumerate(model.walk()):
        yield from _of_thinc(node, number)
        for shim in node.shims:
            if hasattr(shim._model, "named_parameters"):
                yield from _of_torch(node, shim, number)


def old_part(array: Any, before: Any) -> Any:
    """RETURNS (FloatsXd): The part of an array, a view of it, that was there before it
    grew. New outputs stand last.
    """
    return array[tuple(slice(0, size) for size in before.shape)]


def _of_thinc(node: Model, number: int) -> Iterator[Parameter]:
    for name in node.param_names:
        if node.has_param(name):
            key = (node.id, name)
            yield Parameter(
                key=key,
                place=(number, name),
                layer=node.name,
                weights=node.get_param(name),
                gradient=node.get_grad(name) if node.has_grad(name) else None,
                drop_gradient=partial(node._params._grads.pop, key, None),
            )


def _of_torch(node: Model, shim: Any, number: int) -> Iterator[Parameter]:
    for name, tensor in shim._model.named_parameters():
        if tensor.device.type not in ("cpu", "cuda"):  # of others we'd get a copy
            raise ValueError(
                f"the weights of {node.name!r} are on the device {tensor.device}: they "
                "can be held, or pulled back, on the CPU or a CUDA GPU only"
            )
        yield Parameter(
            key=(shim.id, name),
            place=(number, f"shim.{name}"),
            layer=node.name,
            weights=torch2xp(tensor.data),
            gradient=None if tensor.grad is None else torch2xp(tensor.grad),
            drop_gradient=partial(setattr, tensor, "grad", None),
        )
