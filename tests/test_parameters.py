from types import SimpleNamespace

import pytest
from thinc.api import Linear

from spacy_rehearse.parameters import parameters


def test_parameters_where_we_would_get_a_copy_are_refused():
    """What is written to a copy would be lost. Tests need no PyTorch, so a stand-in."""
    tensor = SimpleNamespace(device=SimpleNamespace(type="mps"))
    module = SimpleNamespace(named_parameters=lambda: [("weight", tensor)])
    model = Linear(2, 2)
    model.shims.append(SimpleNamespace(_model=module))
    with pytest.raises(ValueError, match="'linear' .* CPU or a CUDA GPU only"):
        list(parameters(model))
