"""A contractive autoencoder on the bundled digits: its code moves little where its input does.

    python -m experiments.train --config=configs/contractive_autoencoder.py --workdir=runs/cae

12 s on 2 CPU cores. Test reconstruction 0.301 nats a pixel, squared error 0.0242, contraction 2.1.
"""

from ml_collections import ConfigDict

from genjax.families import autoencoder


def get_config() -> ConfigDict:
    c = autoencoder.default_config()
    c.epochs = 100.0
    # One sigmoid layer each way, as in Rifai et al. 2011.
    c.model.latent_dim = 64
    c.model.encoder_hidden = ()
    c.model.decoder_hidden = ()
    c.model.code_activation = "sigmoid"
    c.loss.contraction = 1e-2
    return c
