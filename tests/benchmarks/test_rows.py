"""Every row's own side, tiny; and the way from a row to its record."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import rows, run
from benchmarks.harness import gemm, report, starting, training
from benchmarks.harness.measure import measure
from benchmarks.harness.row import Row
from benchmarks.harness.sides import ROOT, Side
from genjax import families
from tests.benchmarks.sides import set_up

_TINY = {
    "iterations": 1, "epochs": 1, "members": 2, "steps": 3, "num_examples": 64, "batch_size": 8,
    "latent_dim": 3, "generator_hidden": [5, 5], "critic_hidden": [5], "hidden": [5], "height": 8,
    "channels": [2, 3], "n_critic": 2, "size": 64, "num_tokens": 200, "length": 8, "width": 8,
    "budget": 2, "rows": 2, "places": 8, "units": 8, "words": 2000, "teacher": [5],
    "num_labeled": 16,
}  # fmt: skip
# Those whose networks have no small form: compiling takes them long, and no promise rests on them.
_LONG = (
    "bert", "dcgan", "flow", "seq2seq_attention", "text_vae", "transformer", "translation",
    "wgan_gp_64",
)  # fmt: skip
# What they train is timed in another family's row: their layers are those of `recurrent_lm` and
# `autoencoder`, and what lies on top costs little beside them.
_WITHOUT_ROWS = {"elmo", "stacked_autoencoder", "tagger"}


def test_every_family_has_a_row():
    assert set(families.names()) - _WITHOUT_ROWS == set(rows.MODULES) - {"engine", "heads"}


def test_the_recorded_page_is_that_of_the_record():
    results = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    assert {result["name"] for result in results} <= set(rows.all_rows())
    assert (ROOT / "benchmarks" / "RESULTS.md").read_text() == report.markdown(results)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.long if name.startswith(_LONG) else ())
        for name, row in rows.all_rows().items()
        if ".rows." in row.ours.target
    ],
)
@pytest.mark.slow
def test_our_sides_run(name):
    row = rows.all_rows()[name]
    if row.needs and not Path(row.needs).exists():
        pytest.skip(f"needs {row.needs}")
    for side in (row.ours, *row.peers):
        if ".rows." in side.target:
            tiny = {k: v for k, v in _TINY.items() if k in side.arguments}
            if isinstance(side.arguments.get("C"), list):
                tiny["C"] = [0.01]  # larger ones take Newton's method many steps
            timed = set_up(side, **tiny)
            timed.run()
            assert timed.units in (1, _TINY["members"], _TINY["steps"])


def test_the_families_of_all_rows_can_be_built(monkeypatch):
    class Built(Exception):
        pass

    def build(config, data, *_, **__):
        families.build(config, getattr(data, "spec", data), training.TOTAL_STEPS)
        raise Built

    for name in ("timed", "built", "executor"):
        monkeypatch.setattr(training, name, build)
    for row in rows.all_rows().values():
        if ".rows." in row.ours.target and not row.name.startswith(("cross_entropy", "svm")):
            with pytest.raises(Built):
                set_up(row.ours, **{k: v for k, v in _TINY.items() if k in row.ours.arguments})


@pytest.mark.slow
def test_a_warm_start_is_timed_until_the_first_metrics():
    timed = starting.ours("configs/wgan_gp.py")
    assert timed.seconds is float and "warm" in timed.info["settings"]


@pytest.mark.slow
def test_a_program_is_timed_from_start_to_end():
    timed = starting.program("configs/wgan_gp_mixture.py:ring", {"steps": 2, "num_seeds": 2}, 2)
    assert 0.1 < timed.run() < 150
    with pytest.raises(RuntimeError, match="exit status 2"):
        starting.program("configs/wgan_gp_mixture.py:ring", {"steps": -2}, 1)


def test_gemm_rates_are_measured():
    result = gemm.rates([(8, 4, 2, 10.0)], square=64).run()
    assert result["square_flops"] > 0 and result["shapes_seconds"] > 0


def _row(tmp_path, **changes):
    def side(name, **more):
        return Side(
            name,
            "tests.benchmarks.sides:logging_side",
            {"path": str(tmp_path / "log"), "name": name},
            **more,
        )

    fields = dict(
        name="trivial",
        peer="Nothing",
        unit="run",
        ours=side("o"),
        peers=(side("p", packages=("numpy",)), side("q", packages=("numpy",))),
        search=(side("r"),),
        rounds=2,
    )
    return Row(**fields | changes)


_FIELDS = {
    "name", "peer", "peer_version", "seconds", "peer_seconds", "ratio", "floor_seconds", "runs"
}  # fmt: skip


def test_a_result_has_the_fields_of_the_record(tmp_path):
    result = measure(_row(tmp_path))
    assert set(result) >= _FIELDS
    assert result["runs"] == 2 and result["peer_version"] == f"numpy {np.__version__}"
    assert set(result["modes"]) == {"genjax o", "Nothing p", "Nothing q"}
    quickest = min(result["modes"][f"Nothing {n}"]["seconds"] for n in "pq")
    assert result["peer_seconds"] == quickest
    assert result["ratio"] == quickest / result["seconds"]
    assert result["floor_seconds"] is None
    assert len((tmp_path / "log").read_text().splitlines()) == 3 * 2
    json.dumps(result)


def test_search_tries_more_modes(tmp_path):
    assert "Nothing r" in measure(_row(tmp_path), rounds=1, search=True)["modes"]


def test_a_peer_that_is_not_installed_is_told_and_ours_runs(tmp_path):
    absent = Side("p", "nowhere:f", packages=("no_such_package_anywhere",))
    result = measure(_row(tmp_path, peers=(absent,)), rounds=1)
    assert result["seconds"] > 0
    assert result["peer_seconds"] is result["ratio"] is result["peer_version"] is None
    assert "pip install .[benchmarks]" in result["note"]


def test_a_mode_that_cannot_be_set_up_is_left_out_and_told(tmp_path):
    bad = Side("bad", "tests.benchmarks.sides:broken")
    row = _row(tmp_path)
    result = measure(_row(tmp_path, peers=(*row.peers, bad)), rounds=1)
    assert "bad left out" in result["note"] and "no luck" in result["note"]
    assert result["peer_seconds"] > 0


def test_a_row_whose_data_is_absent_says_so(tmp_path):
    result = measure(_row(tmp_path, needs=str(tmp_path / "nothing")), rounds=1)
    assert result["seconds"] is None and "needs" in result["note"]


def test_the_program_writes_json(tmp_path, monkeypatch, capsys):
    rows = {"trivial": _row(tmp_path), "absent": _row(tmp_path, name="absent", needs="/nothing")}
    monkeypatch.setattr(run, "all_rows", lambda: rows)
    assert run.main(["--rounds=1", f"--json={tmp_path / 'out.json'}"]) == 0
    printed = capsys.readouterr().out
    written = json.loads((tmp_path / "out.json").read_text())
    assert [row["name"] for row in written] == ["trivial", "absent"]
    assert all(set(row) >= _FIELDS and row["machine"]["cores"] for row in written)
    assert "trivial" in printed and "not run: needs /nothing" in printed and "cores" in printed


@pytest.mark.slow
def test_recording_a_row_leaves_the_others_as_they_were(tmp_path, monkeypatch):
    rows = {name: _row(tmp_path, name=name) for name in ("first", "second")}
    monkeypatch.setattr(run, "all_rows", lambda: rows)
    record = [f"--record={tmp_path}", "--rounds=1"]
    assert run.main(record) == 0
    before = json.loads((tmp_path / "results.json").read_text())
    assert run.main([*record, "--only=second"]) == 0
    after = json.loads((tmp_path / "results.json").read_text())
    assert [row["name"] for row in after] == ["first", "second"]
    assert after[0] == before[0] and after[1]["seconds"] != before[1]["seconds"]
    page = (tmp_path / "RESULTS.md").read_text()
    assert "| first |" in page and "| second |" in page and "cores" in page


def test_a_row_that_fails_does_not_stop_the_others(tmp_path, monkeypatch, capsys):
    broken = Side("bad", "tests.benchmarks.sides:broken")
    rows = {"broken": _row(tmp_path, ours=broken), "trivial": _row(tmp_path)}
    monkeypatch.setattr(run, "all_rows", lambda: rows)
    assert run.main(["--rounds=1"]) == 1
    captured = capsys.readouterr()
    assert "no luck" in captured.err and "trivial" in captured.out


@pytest.mark.parametrize(
    ("argument", "message"),
    [("--only=nothing", "wgan_gp_mlp"), ("--rounds=0", "at least 1"), ("--json=/no/x", "folder")],
)
def test_wrong_arguments_end_with_2_before_anything_runs(argument, message, capsys):
    with pytest.raises(SystemExit) as error:
        run.main([argument])
    assert error.value.code == 2
    assert message in capsys.readouterr().err
