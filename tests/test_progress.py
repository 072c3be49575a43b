import pytest

from spacy_rehearse import progress


@pytest.mark.parametrize("every, told", [(0.0, True), (60.0, False)])
def test_progress_is_a_line_now_and_then_where_there_is_no_terminal(
    every, told, capsys, monkeypatch
):
    monkeypatch.setattr(progress, "EVERY", every)
    assert list(progress.progress(range(3), desc="Pool", unit=" texts")) == [0, 1, 2]
    lines = capsys.readouterr().err.splitlines()
    assert any("Pool: 2 of 3 texts, " in line for line in lines) == told


def test_progress_is_a_bar_in_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    list(progress.progress(range(3), desc="Pool", unit=" texts"))
    assert "Pool: 100%|" in capsys.readouterr().err
