"""Text VAE of dictionary definitions, a definition or example a line, cut to 32 parts of words.

    python -m experiments.train --config=configs/text_vae_definitions.py \\
        --workdir=runs/text_vae_definitions --config.data.dir=DIR
    python -m experiments.latent --workdir=runs/text_vae_definitions

DIR holds definitions.txt.gz. Tokens are parts of words, so that what is decoded has no `<unk>`. Not
recorded: an update took 0.72 s on 2 CPU cores shared with seven other people. What is recorded are
2,500 updates on whole words of at most 24, each latent at its free 0.25 nats: ELBO -75.9 nats
(reconstruction 68.2, KL 7.8); there the kind of an entry lay in the vector, and its rare words did
not, which is why latents have 0.5 nats and the run has more updates here.
"""

from ml_collections import ConfigDict

from genjax import recipes


def get_config() -> ConfigDict:
    c = recipes.beside(__file__, "text_vae")
    c.data.name = "text:definitions.txt.gz"
    c.data.test_fraction = 0.01
    c.data.tokenizer = "bpe"  # so that no word is unknown
    c.data.vocab_size = 8192
    c.data.length = 32
    c.epochs = 0.0
    c.steps = 6000
    c.batch_size = 64
    c.eval_every = 1000
    c.sample_every = 1000
    c.checkpoint_every = 500
    c.model.hidden = 256
    c.loss.kl_annealing_steps = 2000
    c.loss.free_bits = 0.5
    c.optimizer.learning_rate = 1e-3
    c.optimizer.schedule = "cosine"
    return c
