"""Convolutional VAE of faces, 64x64: CelebA in color, or a folder of gray faces.

    python -m experiments.train --config=configs/face_vae.py --workdir=runs/celeb_a
    python -m experiments.train --config=face_vae:orl --workdir=runs/orl --config.data.name=images:D
    python -m experiments.latent --workdir=runs/orl --out=runs/orl/latent

CelebA comes through TFDS, its central square scaled to 64x64; not recorded yet. The second command
takes any folder D of faces. On the 400 of ORL (AT&T Laboratories Cambridge): 2.5 minutes on 2 CPU
cores, ELBO 2,444, IWAE-10 2,462 nats on the 45 test faces (all pixels exact would be 2,828), KL
54.7, all 32 latents active. Test faces are recognized in their reconstructions; of new faces most
are faces, some are blurs. The pixels' standard deviation is fixed at 0.2: learned, it shrinks until
the network knows the 355 training faces by heart (ELBO 9,100 in training, -10,560 in the test).
"""

from ml_collections import ConfigDict

from genjax.core.config import choose
from genjax.families import vae


def get_config(faces: str = "celeb_a") -> ConfigDict:
    choose("data.name", faces, ("celeb_a", "orl"))
    c = vae.default_config()
    c.data.image_size = 64
    c.model.network = "conv"
    c.model.encoder_channels = (32, 64, 128, 256)
    c.model.decoder_channels = (32, 64, 128, 256)
    c.loss.likelihood = "gaussian"  # with one standard deviation for all pixels
    c.loss.eval_samples = 10
    if faces == "orl":
        c.data.name = "images:"  # and the folder, on the command line
        c.data.channels = 1
        c.epochs = 150.0
        c.batch_size = 32
        c.model.latent_dim = 32
        c.loss.learned_scale = False
        c.loss.scale = 0.2
    else:
        c.data.name = "tfds:celeb_a"
        c.epochs = 20.0
        c.batch_size = 128
        c.model.latent_dim = 128
    return c
