"""Bit equality of every recipe before and after the redesign: dump in one tree, compare in another.

  cd OLD && python /work/equal.py dump /work/golden [NAME…]     # writes NAME.json, NAME.npz
  cd NEW && python /work/equal.py compare /work/golden [NAME…]  # reads the old configs

The same machine, versions and XLA flags. Both run the tree of the current folder.
"""
import json, os, sys, traceback
from pathlib import Path
sys.path.insert(0, os.getcwd())
os.environ.setdefault("JAX_PLATFORMS", "cpu")
import jax, numpy as np
from tests.contracts import recipes
from tests.contracts.trees import leaves
from genjax.engine.run import prepare
from ml_collections import ConfigDict

STEPS = 4

def result(config):
    run = prepare(config)
    ex = run.executor
    state = ex.init()
    out = {f"init/{k}": v for k, v in leaves(state).items()}
    state, metrics = ex.run(state, 0, STEPS)
    out |= {f"metrics/{k}": v for k, v in leaves(metrics).items()}
    out |= {f"evaluate/{k}": np.asarray(v) for k, v in leaves(ex.evaluate(state)).items()}
    if getattr(run.family, "sample", None):
        out["sample"] = np.asarray(jax.device_get(ex.sample(state, 4)))
    out |= {f"state/{k}": v for k, v in leaves(state).items()}
    return out

def main():
    mode, folder, *names = sys.argv[1:]
    folder = Path(folder); folder.mkdir(exist_ok=True, parents=True)
    if mode == "dump":
        names = names or [*recipes.recipes(), *recipes.VARIANTS]
        for name in names:
            file = folder / f"{name.replace('+', '_')}.npz"
            if file.exists(): continue
            config = recipes.tiny(name, folder)
            np.savez(file, **result(config))
            file.with_suffix(".json").write_text(config.to_json())
            print("dumped", name, flush=True)
        return 0
    bad = 0
    for file in sorted(folder.glob("*.npz")):
        if names and file.stem not in names: continue
        from genjax.engine import workdir  # how recorded configs are read, renamed fields mapped
        try:
            record = json.loads(file.with_suffix(".json").read_text())
            config = read(record)
            new, old = result(config), dict(np.load(file))
        except Exception:
            traceback.print_exc(); print("FAILED", file.stem, flush=True); bad += 1; continue
        differ = [k for k in old if k not in new or new[k].tobytes() != old[k].tobytes()]
        extra = [k for k in new if k not in old]
        print("EQUAL" if not differ and not extra else "DIFFERS", file.stem, differ[:6], extra[:6], flush=True)
        bad += bool(differ or extra)
    return bad

def read(record):
    def build(x):
        if isinstance(x, dict): return ConfigDict({k: build(v) for k, v in x.items()})
        return tuple(build(v) for v in x) if isinstance(x, list) else x
    try:
        from genjax.core.renamed import renamed  # new trees map old names
        record = renamed(record)
    except ImportError:
        pass
    c = build(record)
    return c.lock()

if __name__ == "__main__":
    sys.exit(main())
