"""The dense VAE in pythae: its model, loss and trainer, with networks of the same widths."""

import logging
import tempfile
from collections.abc import Sequence
from typing import Any

import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from torch import Tensor, nn

from benchmarks.harness.child import Timed
from benchmarks.harness.machine import cores
from benchmarks.peers.torch_loop import dense as layers
from benchmarks.peers.torch_loop import settle


class _Encoder(BaseEncoder):
    def __init__(self, size: int, hidden: Sequence[int], latent_dim: int):
        super().__init__()
        self.layers = nn.Sequential(*layers([size, *hidden]), nn.ReLU())
        self.mean = nn.Linear(hidden[-1], latent_dim)
        self.log_variance = nn.Linear(hidden[-1], latent_dim)

    def forward(self, x: Tensor) -> ModelOutput:
        h = self.layers(x)
        return ModelOutput(embedding=self.mean(h), log_covariance=self.log_variance(h))


class _Decoder(BaseDecoder):
    def __init__(self, size: int, hidden: Sequence[int], latent_dim: int):
        super().__init__()
        self.layers = nn.Sequential(*layers([latent_dim, *reversed(hidden), size]), nn.Sigmoid())

    def forward(self, z: Tensor) -> ModelOutput:
        return ModelOutput(reconstruction=self.layers(z))


def dense(
    epochs: int,
    *,
    size: int,
    hidden: Sequence[int],
    latent_dim: int,
    num_examples: int,
    batch_size: int,
    learning_rate: float,
) -> Timed:
    """Sets up the row `vae_pythae`: `epochs` of the trainer a run; its data stay in memory."""
    settle()
    logging.disable(logging.INFO)
    networks: Any = (_Encoder(size, hidden, latent_dim), _Decoder(size, hidden, latent_dim))
    config = VAEConfig(input_dim=(size,), latent_dim=latent_dim, reconstruction_loss="bce")
    examples = torch.rand(num_examples, size)
    folder = tempfile.TemporaryDirectory()
    trainer = BaseTrainer(
        VAE(config, *networks),
        BaseDataset(examples, torch.zeros(num_examples)),
        training_config=BaseTrainerConfig(
            output_dir=folder.name,
            learning_rate=learning_rate,
            num_epochs=epochs,
            per_device_train_batch_size=batch_size,
            no_cuda=True,
        ),
        callbacks=[],
    )
    trainer.prepare_training()

    def run() -> None:
        for epoch in range(epochs):
            trainer.train_step(epoch + 1)

    run()
    folder.cleanup()
    return Timed(run, units=epochs, info={"settings": f"its trainer, {cores()} threads"})
