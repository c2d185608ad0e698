"""A trained run from Python: encode, decode and interpolate held-out images, and save a picture.

genjax train --config=vae --workdir=runs/vae
python examples/load_and_decode.py --workdir=runs/vae --out=runs/vae/between.png

Each row begins with an image, ends with another one, and shows between them what the decoder makes
of the codes on the straight line.
"""

import argparse

import numpy as np

import genjax
from genjax.data.source import first_rows
from genjax.plots.grid import image_grid, save_png


def main(workdir, out, rows, columns):
    model = genjax.load(workdir)
    images, _ = first_rows(model.run.dataset.test, 2 * rows)  # (2 rows, height, width, channels)
    codes = model.encode(images)
    shares = np.linspace(0, 1, columns)[:, None]
    lines = [(1 - shares) * a + shares * b for a, b in zip(codes[:rows], codes[rows:])]
    between = model.decode(np.concatenate(lines)).reshape(rows, columns, *images.shape[1:])
    picture = np.concatenate([images[:rows, None], between, images[rows:, None]], axis=1)
    save_png(out, image_grid(picture.reshape(-1, *images.shape[1:]), columns=columns + 2))
    error = np.square(model.reconstruct(images) - images).mean()
    print(f"{out}: {rows} rows; squared error of reconstructions {error:.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--out", default="between.png")
    parser.add_argument("--rows", type=int, default=6)
    parser.add_argument("--columns", type=int, default=8)
    main(**vars(parser.parse_args()))
