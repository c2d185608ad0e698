"""Runs of any family that start from another run: networks, averages, members, the whole state."""

import gzip
import json
import shutil

import jax
import numpy as np
import pytest

from genjax import data
from genjax.core.config import ConfigError
from genjax.core.tokens import NUM_SPECIALS
from genjax.data.text.word_vectors import WordVectors
from genjax.engine import loop, start
from genjax.engine import run as runs
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.workdir import open_workdir, read_config
from tests.contracts import recipes
from tests.contracts.trees import assert_equal, leaves, member


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("starting")


@pytest.fixture(autouse=True)
def no_rates(monkeypatch):
    monkeypatch.setattr(loop, "measured_gemm_rate", lambda dtype: 1.0)


def prepare(folder, recipe="autoencoder", workdir=None, **changes):
    usual = {"steps": 8, "chunk": 2, "log_every": 2, "model__encoder_hidden": (16,)}
    usual = usual if recipe == "autoencoder" else {"steps": 8, "chunk": 2}
    return runs.prepare(recipes.tiny(recipe, folder, **usual | changes), workdir)


def trained(folder, name, recipe="autoencoder", **changes):
    """The folder of a run, and what its newest checkpoint holds."""
    run = prepare(folder, recipe, **changes)
    path = folder / name
    if not path.exists():
        loop.train(run, path)
    _, state = Checkpoints(path / "checkpoints").restore(run.executor.template())
    return path, leaves(state)


def first(run):
    begun = start.begin(run.config, run.executor, run.total_steps)
    return run.executor.to_checkpoint(run.executor.init(begun.leaves))


def of(found, part):
    return {n: x for n, x in found.items() if n.startswith(part)}


def test_a_run_goes_on_from_the_whole_state_of_another_as_if_it_were_one(folder, tmp_path):
    half, _ = trained(folder, "half", steps=4, ema_decay=0.9)
    _, whole = trained(folder, "whole", ema_decay=0.9)
    half = shutil.copytree(half, tmp_path / "half")
    fields = {"start__workdir": str(half), "start__what": "state", "ema_decay": 0.9}
    path, found = trained(tmp_path, "second", **fields)
    assert_equal(found, whole)
    record = json.loads((path / "config.json").read_text())
    assert record["started_from"]["step"] == 4 and record["started_from"]["what"] == "state"
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    assert rows[0]["step"] == 6

    path, _ = trained(tmp_path, "killed", **fields | {"steps": 6})
    shutil.rmtree(half)  # resuming reads the other run no more
    run = prepare(tmp_path, workdir=path, **fields)
    loop.train(run, path)
    assert_equal(
        leaves(Checkpoints(path / "checkpoints").restore(run.executor.template())[1]), whole
    )
    assert json.loads((path / "config.json").read_text())["started_from"] == record[
        "started_from"
    ] | {"workdir": str(half)}


def test_the_whole_state_goes_on_with_other_settings(folder):
    half, before = trained(folder, "half", steps=4, ema_decay=0.9)
    fields = {"start__workdir": str(half), "start__what": "state", "ema_decay": 0.9}
    state = first(prepare(folder, optimizer__learning_rate=1e-5, **fields))
    assert float(state.opt_state["optimizer"].hyperparams["learning_rate"]) == np.float32(1e-5)
    assert_equal(
        of(leaves(state), "opt_state.optimizer.inner"), of(before, "opt_state.optimizer.inner")
    )
    with pytest.raises(ConfigError, match=r"goes on from step 4 and ends at step 4; give more"):
        first(prepare(folder, steps=4, **fields))
    with pytest.raises(
        ConfigError, match=r"config.start.networks=\('encoder',\): must be left out"
    ):
        first(prepare(folder, start__networks=("encoder",), **fields))


@pytest.mark.parametrize("what", ["params", "ema"])
def test_networks_begin_with_parameters_or_their_averages(folder, what):
    half, before = trained(folder, "half", steps=4, ema_decay=0.9)
    run = prepare(folder, start__workdir=str(half), start__what=what, ema_decay=0.5, seed=3)
    state, random = first(run), run.executor.init()
    expected = {f"params{n.removeprefix(what)}": x for n, x in of(before, f"{what}.").items()}
    assert_equal(of(leaves(state), "params"), expected)
    assert_equal(leaves(state.ema), leaves(state.params))
    assert int(state.step) == 0
    assert_equal(leaves(state.opt_state), leaves(random.opt_state))


def test_networks_are_named_by_patterns_or_one_for_another(folder):
    half, before = trained(folder, "half", steps=4, ema_decay=0.9)
    run = prepare(folder, start__workdir=str(half), start__networks=("*/Dense_1",), seed=3)
    found, random = leaves(first(run).params), leaves(run.executor.init().params)
    for name, x in found.items():
        assert_equal({"": x}, {"": before[f"ema.{name}"] if "Dense_1" in name else random[name]})
    with pytest.raises(ConfigError, match=r"decoder/Dense_0/kernel is float32\[64,16\] there and"):
        first(prepare(folder, start__workdir=str(half), start__networks=("encoder=decoder",)))
    run = prepare(
        folder, start__workdir=str(half), start__networks=("encoder/Dense_1=decoder/Dense_0",)
    )
    found, old = leaves(first(run).params), "ema.encoder.Dense_1.kernel"
    assert_equal({"": found["decoder.Dense_0.kernel"]}, {"": before[old]})
    with pytest.raises(ConfigError, match=r"config.start.networks='critic': names no parameters"):
        first(prepare(folder, start__workdir=str(half), start__networks=("critic",)))


def test_what_differs_is_listed_with_both_shapes_before_anything_is_written(folder, tmp_path):
    half, _ = trained(folder, "half", steps=4, ema_decay=0.9)
    run = prepare(folder, start__workdir=str(half), model__encoder_hidden=(12,))
    with pytest.raises(ConfigError) as error:
        loop.train(run, tmp_path / "new")
    line = str(error.value)
    assert "\n" not in line and line.startswith(f"config.start.workdir='{half}': 3 leaves differ")
    assert "encoder/Dense_0/kernel is float32[64,16] there and float32[64,12] here" in line
    assert not (tmp_path / "new").exists()
    deeper = prepare(folder, start__workdir=str(half), model__encoder_hidden=(16, 16))
    with pytest.raises(ConfigError, match="encoder/Dense_2/bias is absent there and float32"):
        first(deeper)


def test_a_member_of_a_population_or_all_of_them(folder):
    many, before = trained(folder, "many", steps=4, executor="vmap", num_seeds=3)
    fields = {"start__workdir": str(many), "start__what": "state"}
    one = leaves(first(prepare(folder, start__member=1, **fields)))
    each = leaves(first(prepare(folder, executor="vmap", num_seeds=3, **fields)))
    names = [n for n in before if n != "key"]
    assert_equal({n: one[n] for n in names}, {n: member(before, 1)[n] for n in names})
    assert_equal({n: each[n] for n in names}, {n: before[n] for n in names})
    fields["start__what"] = "params"
    same = leaves(first(prepare(folder, executor="vmap", num_seeds=2, start__member=2, **fields)))
    for i in range(2):
        assert_equal(of(member(same, i), "params"), of(member(before, 2), "params"))
    with pytest.raises(
        ConfigError, match=r"start.member=-1: .* a population; must be one of 0 … 2"
    ):
        first(prepare(folder, **fields))
    with pytest.raises(ConfigError, match=r"start.member=3: must be below .*, 3"):
        first(prepare(folder, start__member=3, **fields))


def test_the_step_is_chosen(folder):
    changes = {"checkpoint_every": 2, "keep_checkpoints": 9, "eval_every": 2}
    path, _ = trained(folder, "kept", steps=6, best_metric="mse", best_mode="max", **changes)
    for asked, step in (("2", 2), ("newest", 6), ("best", None)):
        run = prepare(folder, start__workdir=str(path), start__step=asked, start__what="state")
        begun = start.begin(run.config, run.executor, 8)
        assert begun.step == begun.record["step"] and (step is None or begun.step == step)
    with pytest.raises(ConfigError, match=r"config.start.step='3': must be .*: 2, 4, 6"):
        first(prepare(folder, start__workdir=str(path), start__step="3"))


@pytest.mark.parametrize(("executor", "sharding"), [("sharded", "fsdp"), ("pmap", "data")])
def test_executors_begin_with_the_same_state(folder, executor, sharding):
    half, _ = trained(folder, "half", steps=4, ema_decay=0.9)
    fields = {"start__workdir": str(half), "start__what": "state", "ema_decay": 0.9}
    found = first(prepare(folder, executor=executor, sharding=sharding, **fields))
    assert_equal(leaves(jax.device_get(found)), leaves(first(prepare(folder, **fields))))


def test_batch_statistics_come_with_their_network(folder):
    gan, before = trained(folder, "gan", "wgan_gp+batch_norm", steps=4, ema_decay=0.9)
    fields = {"start__workdir": str(gan), "start__networks": ("generator",), "seed": 5}
    run = prepare(folder, "wgan_gp+batch_norm", **fields)
    found, random = leaves(first(run)), leaves(run.executor.init())
    expected = {n.replace("ema", "params"): x for n, x in of(before, "ema.").items()}
    assert_equal(of(found, "params.generator"), expected)
    assert_equal(of(found, "variables.generator"), of(before, "variables.generator"))
    assert_equal(of(found, "params.critic"), of(random, "params.critic"))


@pytest.fixture
def texts(tmp_path):
    """Two files of texts, and fields of small models of their words."""
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text("the quick brown fox jumps over a lazy dog\n" * 50)
    two.write_text("a lazy cat sleeps under the brown fox\n" * 50)
    fields = {"data__tokenizer": "word", "data__min_count": 1, "data__length": 6}
    return f"text:{one}", f"text:{two}", fields


def test_texts_are_read_with_the_other_runs_vocabulary(texts, tmp_path):
    one, two, fields = texts
    path, before = trained(tmp_path, "lm", "gru_lm", steps=2, data__name=one, **fields)
    run = prepare(tmp_path, "gru_lm", data__name=two, start__workdir=str(path), **fields)
    tokens = json.loads((path / "tokenizer/vocabulary.json").read_text())["x"]["tokens"]
    assert run.dataset.codec.tokens == tokens and "cat" not in tokens
    assert_equal(of(leaves(first(run)), "params"), of(before, "params"))
    other = fields | {"data__tokenizer": "bpe"}
    with pytest.raises(ConfigError, match=r"config.data.tokenizer='bpe': is 'word' in the run"):
        prepare(tmp_path, "gru_lm", data__name=two, start__workdir=str(path), **other)


@pytest.mark.parametrize("name", ["vectors.bin", "vectors.txt", "glove.txt.gz"])
def test_words_begin_with_the_vectors_of_a_file(texts, name, tmp_path, caplog):
    vectors = WordVectors(["fox", "zebra", "dog"], np.arange(9.0).reshape(3, 3))
    path = tmp_path / name
    vectors.write(path)
    if name.startswith("glove"):  # without the line that says how many there are
        lines = gzip.decompress(path.read_bytes()).split(b"\n", 1)[1]
        path.write_bytes(gzip.compress(lines))
    fields = {"data__name": texts[0], "start__workdir": str(path)} | texts[2]

    def word2vec(dim, workdir=None):
        more = {"model__embedding_dim": dim, "data__length": 16}
        return prepare(tmp_path, "word2vec_skipgram", workdir, **fields | more)

    run = word2vec(3)
    with caplog.at_level("INFO"):
        found = leaves(first(run))
    words = run.dataset.codec.tokens
    assert f"vectors of 2 of {len(words)} words" in caplog.text
    random = leaves(run.executor.init())
    expected = random["params.input"].copy()
    for word, vector in (("fox", [0, 1, 2]), ("dog", [6, 7, 8])):
        expected[NUM_SPECIALS + words.index(word)] = vector
    assert_equal(found, random | {"params.input": expected})
    with pytest.raises(ConfigError, match=r"input has vectors of 3 numbers there and of 4 here"):
        first(word2vec(4))
    workdir = open_workdir(tmp_path / "run", run.config, run.dataset)
    data.save(run.dataset, workdir / data.TOKENIZER)
    path.unlink()  # the new run is opened without it
    again = word2vec(3, workdir)
    assert again.dataset.codec.tokens == words and start.kept(again.config, workdir) == {}


def test_a_table_within_a_network_begins_with_vectors_too(texts, tmp_path):
    path = tmp_path / "vectors.txt"
    WordVectors(["import"], np.ones((1, 8))).write(path)
    fields = {"model__network": "bag", "model__embed_dim": 8, "start__workdir": str(path)}
    run = prepare(tmp_path, "text_classifier", executor="vmap", num_seeds=2, **fields)
    found = leaves(first(run).params)["encoder.words.tokens"]
    at = NUM_SPECIALS + run.dataset.codec.tokens.index("import")
    assert (found[:, at] == 1).all() and not (found[:, at + 1] == 1).any()


def test_a_config_of_before_is_read_by_todays_names(folder, tmp_path):
    half, _ = trained(folder, "half", steps=4, ema_decay=0.9)
    old = shutil.copytree(half, tmp_path / "old", ignore=lambda *_: ["checkpoints"])
    record = json.loads((old / "config.json").read_text())
    record["config"]["pretrained"] = {"workdir": "runs/bert", "networks": ["encoder"]}
    del record["config"]["start"]
    (old / "config.json").write_text(json.dumps(record))
    config = read_config(old, need_checkpoint=False)
    assert (config.start.workdir, config.start.networks) == ("runs/bert", ("encoder",))
    (old / "pretrained").mkdir()
    (old / "pretrained/config.json").write_text(json.dumps(record))
    assert start.adopt(config, old) == config  # which reads what is kept, as the run itself is gone
    assert start.kept(config, old) == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(recipes.first()))
def test_every_family_starts_from_its_like(name, folder, tmp_path):
    """Without training: a run at step 0, as the importer of Hugging Face's folders makes one."""
    before = runs.prepare(recipes.tiny(name, folder))
    state = before.executor.init()
    path = open_workdir(tmp_path / "run", before.config, before.dataset)
    data.save(before.dataset, path / data.TOKENIZER)
    Checkpoints(path / "checkpoints").save(0, state, wait=True)
    expected = leaves(state)
    for what in ("ema", "state"):
        fields = {"start__workdir": str(path), "start__what": what, "start__networks": ()}
        seed = int(name != "continual" or what != "state")  # there it deals out the classes
        found = leaves(first(runs.prepare(recipes.tiny(name, folder, seed=seed, **fields))))
        of_networks = [  # all but what a family keeps beside them
            n for n in expected if n.startswith(("params.", "variables.", "ema."))
            and n.split(".")[1] in state.params
        ]  # fmt: skip
        same = [n for n in expected if n != "key"] if what == "state" else of_networks
        assert_equal({n: found[n] for n in same}, {n: expected[n] for n in same})


def test_both_vocabularies_of_pairs_are_the_other_runs(tmp_path):
    for name, line in {"a": "ein Hund", "b": "a dog", "c": "eine Katze", "d": "a cat"}.items():
        (tmp_path / name).write_text(f"{line}\n" * 20)

    def load(pair, other=None):
        named = ",".join(str(tmp_path / name) for name in pair)
        config = recipes.tiny("seq2seq", tmp_path, data__tokenizer="word")
        with config.unlocked():
            config.data.name = f"pairs:{named}"
        return data.load(config.data, None, other)

    before = load("ab")
    data.save(before, tmp_path / "tokenizer")
    after = load("cd", tmp_path / "tokenizer")
    assert after.codec.tokens == before.codec.tokens
    assert after.target_codec.tokens == before.target_codec.tokens != load("cd").target_codec.tokens
