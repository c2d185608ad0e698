#!/usr/bin/env bash
# The check of a lent GPU, in one call of at most eight minutes: facts and ceilings of the device,
# correctness and bits, throughput beside PyTorch. Rows are written as they are made, into
# $OUT/results.json and $OUT/RESULTS.md; a second call goes on where the first one stopped.
#
# The machine has Python 3.12, jax 0.11 with CUDA 13, flax, optax, orbax and torch, and no network.
# What it lacks travels in .gpu, which git ignores. Once, here, in the repository's root:
#
#   .venv/bin/python -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 \
#     --platform manylinux2014_x86_64 --implementation cp -d .gpu/wheels \
#     absl-py ml-collections tensorboardX
#
# Then, with the tool that lends the machine (both fit into 64 MiB):
#
#   run command='bash benchmarks/gpu/check.sh' carry='[".gpu"]' timeout_s=480
#
# Copy its files to benchmarks/h100 and commit them (python -m benchmarks.gpu.report benchmarks/h100
# makes the page anew). To go on in a second call:
#
#   cp FILES_AT/results.json .gpu/results.json
#   run command='bash benchmarks/gpu/check.sh --budget=300' carry='[".gpu"]' timeout_s=360
#
# Where PyPI can be reached: OUT=build/gpu bash benchmarks/gpu/check.sh after make train, with
# PYTHON=.venv/bin/python. Arguments are those of python -m benchmarks.gpu.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
: "${OUT:?must name the folder of the results}"
python=${PYTHON:-python3}
if compgen -G ".gpu/wheels/*.whl" >/dev/null; then
  site=$(mktemp -d)
  "$python" -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir --upgrade \
    --target "$site" .gpu/wheels/*.whl || exit 1
  export PYTHONPATH=$site:${PYTHONPATH:-}
fi
resume=()
[[ -f .gpu/results.json && ! -f $OUT/results.json ]] && resume=(--resume=.gpu/results.json)
export PYTHONUNBUFFERED=1 TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-2}
exec "$python" -m benchmarks.gpu --out="$OUT" ${resume[@]+"${resume[@]}"} "$@"
