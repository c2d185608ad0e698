"""The recipes of WGAN-GP for a GPU: whole ones lower for it, small ones train on made pictures."""

import jax
import numpy as np
import pytest
from PIL import Image

from genjax import recipes
from genjax.cli import launch
from genjax.core.family import DataSpec
from genjax.engine.run import prepare
from genjax.engine.writers import read_metrics
from genjax.families import gan

SPECS = {
    "wgan_gp_cifar10": (32, 32, 3),
    "wgan_gp_celeba": (64, 64, 3),
    "wgan_gp_folder:128": (128, 128, 3),
    "emoji_gan:conditional": (32, 32, 3),
}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", SPECS)
@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_the_whole_step_lowers_for_an_accelerator(recipe, platform, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: platform)  # what `auto` asks for
    config = recipes.load(recipe)
    shape = SPECS[recipe]
    family = gan.build(config, DataSpec("image", shape, 10), config.steps)
    state = jax.eval_shape(family.init, jax.random.key(0))
    batch = {
        "x": jax.ShapeDtypeStruct((*family.batch_shape, *shape), np.float32),
        "label": jax.ShapeDtypeStruct(family.batch_shape, np.int32),
    }
    traced = jax.jit(family.step, donate_argnums=0).trace(state, batch)
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    assert "stablehlo.convolution" in text


def test_cifar10_is_as_in_the_paper():
    c = recipes.load("wgan_gp_cifar10")
    assert (c.steps, c.batch_size, c.loss.n_critic, c.loss.penalty_weight) == (100_000, 64, 5, 10.0)
    for optimizer in (c.optimizer, c.critic_optimizer):
        found = (optimizer.learning_rate, optimizer.b1, optimizer.b2, optimizer.schedule)
        assert found == (2e-4, 0.0, 0.9, "linear")
    family = gan.build(c, DataSpec("image", (32, 32, 3), 10), c.steps)
    params = jax.eval_shape(family.init, jax.random.key(0)).params
    widths = {a.shape[-1] for a in jax.tree.leaves(params) if len(a.shape) == 4}
    assert widths == {128, 3}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["wgan_gp_folder:32", "emoji_gan:conditional"])
def test_a_few_steps_on_made_pictures(recipe, tmp_path):
    rng = np.random.RandomState(0)
    for i in range(24):
        folder = tmp_path / "set" / ("flags" if i % 2 else "objects")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.randint(0, 256, (32, 32, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{'google' if i < 12 else 'twitter'}_1f{i:03x}.png")
    c = recipes.load(recipe).unlock()
    c.data.name, c.data.cache_dir = f"images:{tmp_path / 'set'}", str(tmp_path / "cache")
    c.steps, c.batch_size, c.log_every, c.checkpoint_every, c.sample_every = 2, 4, 1, 0, 0
    c.loss.n_critic, c.model.latent_dim = 1, 4
    c.model.generator_channels = c.model.critic_channels = (4, 4)
    status, _ = launch.train(prepare(c.lock()), tmp_path / "run", "")
    assert status == 0
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert all(np.isfinite(row["train/critic_loss"]) for row in rows if "train/critic_loss" in row)
    assert rows[-1]["step"] == 2
