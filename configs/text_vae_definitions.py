"""Text VAE of dictionary definitions, a definition or example a line, of at most 24 words.

    python -m experiments.train --config=configs/text_vae_definitions.py \\
        --workdir=runs/text_vae_definitions --config.data.dir=DIR
    python -m experiments.latent --workdir=runs/text_vae_definitions

DIR holds definitions.txt.gz. 2,500 updates, 25 minutes on 2 CPU cores beside another job. Held-out
sentences: ELBO -75.9 nats (reconstruction 68.2, KL 7.8, all 32 latents active, each at its free
0.25 nats); BLEU of what comes back 16.6. `interpolations.txt` of `experiments.latent`, by argmax:

    from  mar law to relinquish all claim to used when an insured person gives up to <unk> all claim
    0.00  usage to be <unk> to be <unk> to be <unk> to be <unk> to be <unk> to be <unk> to be <unk>
    0.33  <unk> n a <unk> of a <unk> or <unk> to the <unk> of a <unk> of a <unk>
    0.67  <unk> n pl <unk> a <unk> of <unk> <unk> of a <unk> of a <unk>
    1.00  <unk> n zool a <unk> of <unk> <unk> <unk> <unk>
    to    <unk> n pl zool a group of <unk> having abdominal appendages

The kind of an entry lies in the vector, its rare words do not.
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
    c.steps = 2500
    c.batch_size = 64
    c.eval_every = 1000
    c.sample_every = 1000
    c.checkpoint_every = 500
    c.model.hidden = 256
    c.loss.kl_annealing_steps = 1000
    c.optimizer.learning_rate = 1e-3
    c.optimizer.schedule = "cosine"
    return c
