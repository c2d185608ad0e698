"""What a system answers in dialogues about tasks: a Transformer that copies, 3 layers of 192.

    python -m experiments.train --config=configs/dialogue.py --workdir=runs/dialogue \\
        --config.data.dir=DIR
    python -m experiments.evaluate --workdir=runs/dialogue
    python -m experiments.text_baselines --workdir=runs/dialogue
    python -m experiments.chat --workdir=runs/dialogue

DIR holds {train,test}.{context,response}.gz: 111,878 turns of the Schema-Guided Dialogue data, up
to three turns of context, `user: … system: … user: …`, and the system's response. Words are parts
of one vocabulary, so that names and numbers can be copied. After 60 minutes on 2 CPU cores, shared,
test perplexity is 13.5 a part of a word, and greedy answers to the first 10,000 contexts have BLEU
10.1 and chrF 27.1; the answer to the nearest context has 5.9 and 20.3, the most frequent answer 1.0
and 6.2. Read: questions and confirmations fit the turn; rare names come out torn, facts that the
context does not tell are made up.
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
