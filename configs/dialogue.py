"""What a system answers in dialogues about tasks: a Transformer that copies, 3 layers of 192.

    python -m experiments.train --config=configs/dialogue.py --workdir=runs/dialogue \\
        --config.data.dir=DIR
    python -m experiments.evaluate --workdir=runs/dialogue
    python -m experiments.text_baselines --workdir=runs/dialogue
    python -m experiments.chat --workdir=runs/dialogue

DIR holds {train,test}.{context,response}.gz: 111,878 turns of the Schema-Guided Dialogue data, up
to three turns of context, `user: … system: … user: …`, and the system's response. Words are parts
of one vocabulary, so that names and numbers can be copied. Not recorded, nor is its time.
"""

from ml_collections import ConfigDict

from genjax import recipes


def get_config() -> ConfigDict:
    c = recipes.beside(__file__, "summaries_transformer")
    c.epochs = 3.0
    c.data.update(
        name="pairs:train.context.gz,train.response.gz",
        test="test.context.gz,test.response.gz",
        vocab_size=4096,
        lowercase=False,
        length=96,
        target_length=48,
    )
    c.buckets = (32, 48, 64)
    return c
