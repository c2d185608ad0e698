"""A minimal PyTorch WGAN-GP script, whose start is timed: it ends when its first step is done.

    python -m benchmarks.peers.torch_first_step IMAGES.npy RECIPE

IMAGES.npy: uint8 (N, height, height). RECIPE: JSON with `network` (`mlp` or `conv`), `latent_dim`,
the networks' widths and the arguments of `Trainer`. Eager, as compiling would only delay the step.
"""

import json
import sys
from typing import Any

import numpy as np
import torch

from benchmarks.peers.torch_wgan_gp import Trainer, conv_networks, mlp_networks


def main(path: str, recipe: dict[str, Any]) -> None:
    """Makes one generator iteration."""
    images = np.load(path)
    data, height, latent_dim = torch.from_numpy(images), images.shape[1], recipe["latent_dim"]
    hidden, channels = recipe.pop("hidden"), recipe.pop("channels")
    if recipe.pop("network") == "mlp":
        data = data.flatten(1)
        networks = mlp_networks(latent_dim, hidden[0], hidden[1], height**2, norm=False)
    else:
        data, networks = data.unsqueeze(1), conv_networks(latent_dim, channels, height)
    Trainer(*networks, data.float() / 127.5 - 1, "eager", **recipe).iteration()
    print("first step done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
