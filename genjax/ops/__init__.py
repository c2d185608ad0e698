"""Operations whose way of computing matters for speed, each tested equal to plain `jax.numpy`.

XLA's CPU backend is slow at some programs that are quick on GPUs and TPUs, such as gradients of
convolutions, or sums behind arithmetic. The operations here are written so that they run well on
both; where one way does not serve all, `genjax.ops.platform` chooses.
"""
