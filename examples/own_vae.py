"""A VAE: -log p(x|z) + KL(q(z|x) || p(z)), in nats (Kingma and Welling 2014, equation 10)."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from genjax import core, losses
from genjax.models.dense import MLP


@dataclass(frozen=True)
class Model:
    latent_dim: int = core.field(8, "numbers of a latent", ge=1)


def get_config():
    return core.base(family="own_vae", steps=2000, model=core.section(Model))


@dataclass(frozen=True, kw_only=True, eq=False)
class VAE(core.Family):
    model: Model
    encoder: MLP
    decoder: MLP
    optimizer: object

    def elbo_loss(self, params, rows, shared, part=0):
        mean, log_variance = jnp.moveaxis(self.encoder.apply(params["encoder"], rows["x"]), 1, 0)
        z = mean + jnp.exp(log_variance / 2) * rows.get("noise", 0.0)
        nll = -losses.bernoulli_log_likelihood(self.decoder.apply(params["decoder"], z), rows["x"])
        kl = losses.gaussian_kl(mean, log_variance).sum(-1)
        return (nll + kl).mean(), {"nll": nll.mean(), "kl": kl.mean(), "loss": (nll + kl).mean()}

    def init(self, key):
        k1, k2 = jax.random.split(core.init_key(key))
        x, z = jnp.zeros((1, *self.spec.shape)), jnp.zeros((1, self.model.latent_dim))
        params = {"encoder": self.encoder.init(k1, x), "decoder": self.decoder.init(k2, z)}
        return core.first_state(key, params, self.optimizer, self)

    def step(self, state, batch):
        noise = core.batch_normal(core.step_key(state, 0), (len(batch["x"]), self.model.latent_dim))
        rows = {"x": batch["x"], "noise": noise}
        return core.minimize(self.elbo_loss, state, rows, None, self.optimizer, self)

    def evaluate(self, state, batch):  # each example alone, at the mean of its posterior
        each = jax.vmap(lambda x: self.elbo_loss(state.eval_params, {"x": x[None]}, None)[1])
        sums = {name: (batch["mask"] * value).sum() for name, value in each(batch["x"]).items()}
        return core.batch_sum(sums | {"count": batch["mask"].sum()})

    def sample(self, state, key, n):
        z = jax.random.normal(key, (n, self.model.latent_dim))
        return jax.nn.sigmoid(self.decoder.apply(state.eval_params["decoder"], z))


def build(config, spec, total_steps):
    model, shared = core.read(Model, config, "model"), core.shared_fields(config, spec, total_steps)
    encoder, decoder = MLP((256,), (2, model.latent_dim)), MLP((256,), spec.shape)
    optimizer = core.make_optimizer(config.optimizer, total_steps)
    return VAE(**shared, model=model, encoder=encoder, decoder=decoder, optimizer=optimizer)
