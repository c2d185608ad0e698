"""WGAN-GP with residual networks on CelebA, 64x64 in color, through TFDS.

    python -m experiments.train --config=configs/wgan_gp_celeba.py --workdir=runs/celeb_a_gan
    python -m experiments.evaluate --workdir=runs/celeb_a_gan --metrics=fid --weights=FILE

For a GPU; not recorded yet. The central square of each face, scaled to 64x64; networks, rates and
penalty as in wgan_gp_folder.py, 64 to 512 channels. 100,000 generator updates of 64 faces with five
critic updates each. An update is about 5.2 TFLOP (counted by hand: forward, a picture costs the
generator 2.2 GFLOP and the critic 1.0), the run 520 PFLOP: at least 2 hours at 67 TFLOP/s of
float32 (an H100's peak). The decoded training faces, 1.9 GiB, stay on the device.
"""

from ml_collections import ConfigDict

from genjax import recipes


def get_config() -> ConfigDict:
    c = recipes.beside(__file__, "wgan_gp_folder:64")
    c.data.name = "tfds:celeb_a"
    return c
