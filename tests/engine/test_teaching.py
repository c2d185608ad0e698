"""Students: what a teacher says joins their batches, and nothing of it their state."""

import shutil

import jax
import numpy as np
import pytest
from scipy import special, stats

import genjax
from genjax.core.config import ConfigError
from genjax.core.teaching import TeacherFields
from genjax.data.text.tokenizers import Words
from genjax.engine import loop, members, teaching
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.leaves import leaves_of
from genjax.engine.run import prepare
from genjax.engine.workdir import read_config
from tests.contracts import recipes
from tests.contracts.trees import assert_equal, leaves

TEXTS = "text_classifier+bag+accumulate"


@pytest.fixture(scope="module")
def teachers(tmp_path_factory):
    """A run of pictures, one of texts and a population, of a few steps each."""
    folder = tmp_path_factory.mktemp("teachers")
    given = {
        "digits": ("classifier", {"optimizer__schedule": "constant"}),
        "texts": (TEXTS, {}),
        "attends": ("text_classifier+transformer+ema", {"model__num_heads": 2}),
        "five": ("classifier", {"executor": "vmap", "num_seeds": 2}),
        "gan": ("gan", {}),
    }
    for name, (recipe, changes) in given.items():
        config = recipes.tiny(recipe, folder, steps=2, checkpoint_every=1, **changes)
        loop.train(prepare(config), folder / name)
    return folder


@pytest.fixture
def student(teachers, tmp_path):
    """`student(folder, …)` is the config of one that learns from `teachers / folder`."""

    def config(teacher="digits", recipe="classifier", **changes):
        usual = {"model__head_hidden": (5,), "steps": 4, "optimizer__schedule": "constant"}
        return recipes.tiny(
            recipe, teachers, teacher__workdir=str(teachers / teacher), **usual | changes
        )

    return config


def test_a_step_learns_what_the_teacher_says(student, teachers):
    run = prepare(student(teacher__temperature=3.0, teacher__weight=0.7, model__dropout=0.0))
    source, state = run.dataset.train, run.executor.init()
    batch = jax.jit(source.fetch)(source.arrays, np.arange(16))
    said = genjax.load(teachers / "digits").classify(batch["x"])
    q = np.asarray(run.family.classify(state, batch["x"]), np.float64)
    p, q_soft = (special.softmax(np.log(x) / 3, 1) for x in (np.float64(said), q))
    nll = -np.log(q[np.arange(16), batch["label"]])
    expected = 0.3 * nll + 0.7 * 9 * stats.entropy(p, q_soft, axis=1)
    _, metrics = run.family.step(state, batch)
    np.testing.assert_allclose(metrics["loss"], expected.mean(), rtol=1e-4)


def test_layers_are_matched_through_a_learned_map(student, teachers):
    run = prepare(student(teacher__features=("head.1=head.0",), model__dropout=0.0))
    assert run.config.teacher.widths == (16,)
    source, state = run.dataset.train, run.executor.init()
    batch = jax.jit(source.fetch)(source.arrays, np.arange(16))
    matrix = state.params["projections"][0]
    theirs = genjax.load(teachers / "digits").features(batch["x"])["head.1"]
    ours = run.family.features(state, batch["x"])["head.0"]
    expected = np.square(np.asarray(ours @ matrix) - theirs).mean()
    moved, metrics = run.family.step(state, batch)
    np.testing.assert_allclose(metrics["features"], expected, rtol=1e-4)
    assert (moved.params["projections"][0] != matrix).any()


def test_attention_is_matched_by_its_weights(student, teachers):
    """Those of the last layer, of as many heads or of their means; rows sum to 1 or are padding."""
    match = {"teacher__attention": ("encoder.0=encoder.0",), "model__dropout": 0.0}
    for heads in (2, 4):
        changes = match | {"model__num_heads": heads, "model__word_dropout": 0.0}
        run = prepare(student("attends", "text_classifier+transformer+ema", **changes))
        source, state = run.dataset.train, run.executor.init()
        batch = jax.jit(source.fetch)(source.arrays, np.arange(16))
        x, real = batch["x"], np.asarray(batch["x"]) != 0
        ours = np.asarray(run.family.attention_maps(state, x)["encoder.0"])
        theirs = genjax.load(teachers / "attends")
        theirs = np.asarray(theirs.family.attention_maps(theirs.state, x)["encoder.0"])
        np.testing.assert_allclose(ours.sum(-1), 1, rtol=1e-5)
        if heads == 4:
            ours, theirs = (m.mean(1, keepdims=True) for m in (ours, theirs))
        error = np.square(ours - theirs).sum(-1).mean(1)
        expected = ((error * real).sum(1) / real.sum(1)).mean()
        _, metrics = run.family.step(state, batch)
        np.testing.assert_allclose(metrics["attention"], expected, rtol=1e-3)


def test_the_teacher_is_in_no_state_and_a_trained_student_needs_none(student, teachers, tmp_path):
    shutil.copytree(teachers / "digits", tmp_path / "teacher")
    config = student(str(tmp_path / "teacher"), teacher__features=("head.0=head.0",))
    run = prepare(config)
    own = leaves_of(run.executor.template())
    assert not [n for n in own if n.startswith("params") and n.split(".")[1] not in
                ("encoder", "head", "projections")]  # fmt: skip
    loop.train(run, tmp_path / "run")
    shutil.rmtree(tmp_path / "teacher")
    model = genjax.load(tmp_path / "run")
    assert model.classify(np.zeros((1, *run.dataset.spec.shape))).shape == (1, 10)
    assert "nll" in model.evaluate()
    with pytest.raises(ConfigError, match=r"config.teacher.workdir.*no such folder"):
        prepare(read_config(tmp_path / "run"), tmp_path / "run")


def final(run, workdir):
    return leaves(Checkpoints(workdir / "checkpoints").restore(run.executor.template())[1])


@pytest.mark.parametrize("keep", [False, True], ids=["asked", "kept"])
def test_a_resumed_student_has_the_same_teacher_though_that_went_on(
    student, teachers, tmp_path, keep
):
    shutil.copytree(teachers / "digits", tmp_path / "teacher")
    at = str(tmp_path / "teacher")
    short, whole = (student(at, teacher__keep=keep, steps=n) for n in (2, 4))
    loop.train(prepare(whole), tmp_path / "whole")
    loop.train(prepare(short), tmp_path / "run")
    teacher = recipes.tiny(
        "classifier", teachers, steps=3, checkpoint_every=1, optimizer__schedule="constant"
    )
    loop.train(prepare(teacher, at), at)
    if keep:
        shutil.rmtree(at)
    run = prepare(whole, tmp_path / "run")
    assert loop.train(run, tmp_path / "run").first_step == 2
    assert_equal(final(run, tmp_path / "run"), final(run, tmp_path / "whole"))


def test_another_checkpoint_of_that_number_is_refused(student, teachers, tmp_path):
    shutil.copytree(teachers / "digits", tmp_path / "teacher")
    at = str(tmp_path / "teacher")
    loop.train(prepare(student(at, steps=2)), tmp_path / "run")
    shutil.rmtree(at)
    loop.train(prepare(recipes.tiny("classifier", teachers, steps=2, seed=1)), at)
    with pytest.raises(ConfigError, match=r"teacher.workdir.*its checkpoint 2 is another than"):
        prepare(student(at), tmp_path / "run")


def test_kept_logits_teach_what_asked_ones_do(student):
    asked, kept = (prepare(student(teacher__keep=keep)).executor for keep in (False, True))
    states = [e.run(e.init(), 0, 4)[0].params for e in (asked, kept)]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), *states)


def test_each_seed_of_a_population_has_the_teacher_of_its_seed(student, teachers):
    changes = {"teacher__member": -1, "teacher__keep": True, "executor": "vmap", "num_seeds": 2}
    students = prepare(student("five", **changes)).executor
    state, _ = students.run(students.init(), 0, 2)
    alone = prepare(student("five", teacher__member=1, seed=1)).executor
    one, _ = alone.run(alone.init(), 0, 2)
    for both, single in zip(jax.tree.leaves(state.params), jax.tree.leaves(one.params)):
        np.testing.assert_allclose(both[1], single, rtol=1e-4, atol=1e-6)
    with pytest.raises(ConfigError, match=r"teacher.member=-1: .* no population with seed 2"):
        prepare(student("five", **changes | {"num_seeds": 3}))


def test_a_member_takes_along_what_its_population_was_taught(student, teachers, tmp_path):
    there = shutil.copytree(teachers / "five", tmp_path / "five")
    config = student("five", teacher__member=-1, teacher__keep=True, executor="vmap", num_seeds=2)
    config = config.copy_and_resolve_references().unlock()
    config.teacher.workdir = str(there)
    loop.train(prepare(config.lock()), tmp_path / "many")
    shutil.rmtree(there)
    members.extract(tmp_path / "many", 1, tmp_path / "one")
    prepare(read_config(tmp_path / "one"), tmp_path / "one")
    with pytest.raises(ConfigError, match="no such folder"):
        prepare(read_config(tmp_path / "one"))


def test_one_of_a_population_teaches_and_sentences_are_read_as_the_teacher_reads_them(
    student, teachers
):
    run = prepare(student("five", teacher__member=1))
    said = jax.jit(run.dataset.train.fetch)(run.dataset.train.arrays, np.arange(4))
    p = genjax.load(teachers / "five").member(1).classify(said["x"])
    np.testing.assert_allclose(jax.nn.softmax(said["teacher_logits"]), p, rtol=1e-4)
    changes = {"teacher__features": ("encoder.0=encoder.0",), "model__network": "recurrent"}
    texts = prepare(student("texts", TEXTS, model__layers=1, model__bigrams=0))
    assert texts.dataset.codec.tokens == genjax.load(teachers / "texts").run.dataset.codec.tokens
    texts.executor.run(texts.executor.init(), 0, 1)
    with pytest.raises(ConfigError, match=r"teacher.features.*the teacher has no encoder.5"):
        prepare(student("texts", TEXTS, **changes | {"teacher__features": ("encoder.5=head.0",)}))


def test_a_teacher_of_sentences_must_have_the_same_words(student):
    """As many of them are not enough: a run that starts from another one has that one's."""
    ours = prepare(student("texts", TEXTS)).dataset
    others = Words([*ours.codec.tokens[1:], "another"])
    message = "was trained on other data: the tokens of texts"
    with pytest.raises(ConfigError, match=message):
        teaching._check_data(TeacherFields(workdir="there"), ours._replace(codec=others), ours)
    teaching._check_data(TeacherFields(workdir="there"), ours, ours)


@pytest.mark.parametrize(
    ("teacher", "changes", "message"),
    [
        ("none", {}, "teacher.workdir=.*no such folder"),
        ("gan", {}, "teacher.workdir=.*a run of the family gan, which classifies nothing"),
        ("texts", {}, "teacher.workdir=.*trained on other data: kind sentence there, image here"),
        ("five", {"teacher__member": 2}, "teacher.member=2: must be below.*, 2"),
        ("digits", {"teacher__member": 1}, "teacher.member=1: must be 0 in"),
        ("digits", {"teacher__step": "7"}, "teacher.step='7': must be newest, best, or one of"),
        ("digits", {"teacher__step": "best"}, "teacher.step='best': .*keeps no best"),
        ("digits", {"teacher__features": ("head.0",)}, "teacher.features=.*must be theirs=ours"),
        (
            "digits",
            {"teacher__features": ("head.0=head.3",)},
            "teacher.features=.*this run has no head.3; there are",
        ),
        (
            "digits",
            {"teacher__features": ("head.0=head.0",), "teacher__keep": True},
            "teacher.keep=True: keeps logits alone",
        ),
        ("digits", {"teacher__weight": 1.5}, "teacher.weight=1.5: must be between 0 and 1"),
    ],
)
def test_mistakes_are_told_in_a_line(student, teacher, changes, message):
    with pytest.raises(ConfigError, match=f"config.{message}"):
        prepare(student(teacher, **changes))
