"""A full-batch gradient over chunks of rows on a cluster of processes: `python examples/dask_full_batch.py --help`.

The loss is a mean over samples, L = 1/B Σ_b ℓ_b, so L and its gradients are the sums over chunks of B_chunk/B times
those of the chunk. Of a loss that is a sum over samples the factors are 1; a layer that mixes samples, as batch_norm
does, has no such sum.

The workers get the emitted module, which needs no derive, and read their rows themselves: when one dies, the scheduler
gives its chunks to others, and nothing is lost that was there alone. Terms are added in the order of the chunks, so the
result depends neither on the number of workers nor on which of them was fast.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from distributed import Client, LocalCluster, as_completed

Array = np.ndarray[Any, np.dtype[Any]]
Result = tuple[float, dict[str, Array]]  # the loss, and its gradients by name

FEATURES, HIDDEN, CLASSES = 20, 16, 3
WEIGHTS = {"w_1": (FEATURES, HIDDEN), "beta_1": (HIDDEN,), "w_2": (HIDDEN, CLASSES), "beta_2": (CLASSES,)}
MODULE = "mlp_array_api"


def emitted(directory: Path) -> Path:
    """The network as a module of its own: x → dense → tanh → dense → softmax-cross-entropy with targets t."""
    from derive import chain, to_numpy  # here, for workers need neither
    from formulas import dense, softmax_cross_entropy, tanh

    path = directory / f"{MODULE}.py"
    network = chain(dense, tanh, dense, softmax_cross_entropy, name="mlp")
    path.write_text(to_numpy(network).array_api.source, "utf-8")
    return path


def drawn(directory: Path, rows: int, seed: int = 0) -> dict[str, Array]:
    """Random data in two files, x.npy and t.npy (one-hot); returns random weights."""
    rng = np.random.default_rng(seed)
    np.save(directory / "x.npy", rng.normal(size=(rows, FEATURES)))
    np.save(directory / "t.npy", np.eye(CLASSES)[rng.integers(CLASSES, size=rows)])
    return {name: rng.normal(size=shape) / 4 for name, shape in WEIGHTS.items()}


def chunk(rows: tuple[int, int], directory: str, weights: Mapping[str, Array]) -> Result:
    """The mean loss over these rows, and its gradients for the weights: what a worker does."""
    mlp = importlib.import_module(MODULE)
    x, t = (np.load(f"{directory}/{name}.npy", mmap_mode="r")[slice(*rows)] for name in ("x", "t"))
    loss, gradients = mlp.value_and_grad(x=x, t=t, **weights)
    return float(loss), {name: gradients[name] for name in weights}


def full_batch(
    client: Client,
    module: Path,
    directory: Path,
    weights: Mapping[str, Array],
    chunks: int,
    after: Callable[[int], None] = lambda number: None,
) -> Result:
    """The loss over all rows, and its gradients; `after` is told how many chunks have come back so far."""
    client.upload_file(str(module))  # also to workers that start later
    total = len(np.load(directory / "t.npy", mmap_mode="r"))
    ends = np.linspace(0, total, chunks + 1).astype(int).tolist()
    rows = list(itertools.pairwise(ends))
    futures = client.map(chunk, rows, directory=str(directory), weights=dict(weights), pure=False)
    place = {future.key: number for number, future in enumerate(futures)}
    found: dict[int, Result] = {}
    for future, result in as_completed(futures, with_results=True):
        found[place[future.key]] = result
        after(len(found))
    parts = [(stop - start, *found[number]) for number, (start, stop) in enumerate(rows)]
    loss = sum(count / total * value for count, value, _ in parts)
    return loss, {name: sum(count / total * given[name] for count, _, given in parts) for name in weights}


def main(arguments: list[str] | None = None) -> None:
    """Compute the gradient on a cluster and in memory, and print how far they are apart."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("rows", 100_000), ("chunks", 16), ("workers", 3)):
        options.add_argument(f"--{name}", type=int, default=default)
    given = options.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        module, weights = emitted(directory), drawn(directory, given.rows)
        cluster = LocalCluster(
            n_workers=given.workers, threads_per_worker=1, dashboard_address=None, local_directory=name
        )
        with cluster, Client(cluster) as client:
            loss, gradients = full_batch(client, module, directory, weights, given.chunks)
            whole, expected = client.submit(chunk, (0, given.rows), name, weights).result()  # in the memory of one
    worst = max(float(np.abs(gradients[name] - expected[name]).max()) for name in weights)
    print(f"loss {loss:.12f}, in one piece {whole:.12f}; gradients differ by {worst:.1e} at most")


if __name__ == "__main__":
    main()
