"""A critic of one's own, trained with `genjax.losses` in a plain jitted loop.

python examples/own_critic.py --steps=1000

It learns the Wasserstein-1 distance between two Gaussians, one of which is the other moved by 3.
"""

import argparse

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from genjax import losses

optimizer = optax.adam(1e-3, b1=0.5, b2=0.9)


class Critic(nn.Module):
    @nn.compact
    def __call__(self, x):
        for _ in range(2):
            x = nn.relu(nn.Dense(64)(x))
        return nn.Dense(1)(x)[:, 0]


def critic_loss(params, real, fake, weight):
    """Computes E[D(fake)] - E[D(real)] + 100 E[(|grad D| - 1)^2], and minus the first two terms."""

    def critic(x):  # (B, …) -> (B,)
        return Critic().apply(params, x)

    distance = -losses.wasserstein_critic_loss(critic(real), critic(fake)).mean()
    penalty = losses.gradient_penalty(critic, real, fake, weight).mean()
    return 100 * penalty - distance, distance


@jax.jit
def update(params, opt_state, key):
    data_key, weight_key = jax.random.split(key)
    real, fake = jax.random.normal(data_key, (2, 1024, 2)) + jnp.array([[[3.0, 0.0]], [[0.0, 0.0]]])
    weight = jax.random.uniform(weight_key, (1024,))
    gradient, distance = jax.grad(critic_loss, has_aux=True)(params, real, fake, weight)
    changes, opt_state = optimizer.update(gradient, opt_state)
    return optax.apply_updates(params, changes), opt_state, distance


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=1000)
    steps = parser.parse_args().steps
    params = Critic().init(jax.random.key(0), jnp.zeros((1, 2)))
    opt_state = optimizer.init(params)
    for step in range(1, steps + 1):
        params, opt_state, distance = update(params, opt_state, jax.random.key(step))
        if step % max(1, steps // 5) == 0:
            print(f"step {step}: distance {distance:.2f}, exactly 3.00")
