"""Training on a GPU, where there is one, as a user starts it."""

import json
import subprocess
import sys

import pytest
import spacy
from thinc.compat import has_cupy_gpu

from .util import entities_f, quick_config

EWC = {"ewc": {"@misc": "spacy-rehearse.EWC.v1", "strength": 10.0, "n_texts": 20}}
IN_PLACE = {
    "components__rehearsal__regularizers": EWC,
    "initialize__components__rehearsal__column": None,
}

SCARCE = {
    "initialize__components__rehearsal__expert": {
        "n_experts": 2,
        "max_passes": 2,
        "lean": 4.0,
    },
    "components__rehearsal__margin": 1.0,
    "components__rehearsal__rename": 0.5,
}


needs_gpu = pytest.mark.skipif(not has_cupy_gpu, reason="no GPU that CuPy can use")


@pytest.mark.slow
@needs_gpu
@pytest.mark.parametrize(
    "settings",
    [{}, SCARCE, IN_PLACE],
    ids=["column", "experts, margin and made-up names", "in place, EWC"],
)
def test_gpu_learns_and_keeps_and_the_result_loads_on_a_cpu(
    base, corpus, workdir, settings
):
    quick_config(base, corpus, workdir / "config.cfg", **settings)
    command = "spacy train config.cfg --output out --gpu-id 0".split()
    subprocess.run([sys.executable, "-m", *command], check=True)
    student, old = spacy.load(workdir / "out" / "model-best"), ("PERSON", "ORG")
    assert entities_f(student, ("GADGET",)) > 0.5
    assert entities_f(student, old) > entities_f(spacy.load(base), old) - 0.05


@pytest.mark.slow
@needs_gpu
def test_gpu_compares_methods(base, corpus, workdir):
    quick_config(base, corpus, workdir / "config.cfg")
    command = "spacy rehearse compare config.cfg --output out --methods rehearsal,naive"
    command += " --seeds 0 --gpu-id 0"
    subprocess.run([sys.executable, "-m", *command.split()], check=True)
    results = json.loads((workdir / "out" / "results.json").read_text())["results"]
    assert min(results["rehearsal"]["new F"]) > 0.5
