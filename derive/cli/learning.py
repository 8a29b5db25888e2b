"""The options of `derive train` and `derive compare`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

DATA = "breast_cancer|digits|cells|FILE.npz|FILE.csv|FILE.txt"
USES = """A TARGET that ends in a number is a loss, with its targets in an input t or target; any other is a model, and
gets softmax_cross_entropy (for classes) or mse_loss after it, or --loss. Its first input takes the samples, masks are
drawn anew at each step, all other inputs are learned. An NPZ file holds x and t; a CSV file a header, and its target in
the last column or in --target. --optimizer and --schedule take options: 'adam(beta1=0.8)', 'cosine(eta_min=1e-5)'.
"""

Target = Annotated[
    str, typer.Argument(metavar="TARGET", help="a model or a loss: a name, FILE.py:NAME, or a chain A >> B")
]
Targets = Annotated[list[str], typer.Argument(metavar="TARGET…", help="models to compare")]
Data = Annotated[str, typer.Option("--data", metavar=DATA, help="what to train on")]
Column = Annotated[str | None, typer.Option("--target", metavar="NAME", help="column or array of the targets")]
Window = Annotated[int | None, typer.Option(min=1, metavar="N", help="characters of a piece of text [default: 64]")]
Loss = Annotated[str | None, typer.Option(metavar="TARGET", help="the loss after a model")]
Size = Annotated[list[str] | None, typer.Option("--size", metavar="H=32", help="a length that the data do not tell")]
Optimiser = Annotated[str, typer.Option("--optimizer", metavar="NAME", help="sgd, adam, adamw, lion, muon, lbfgs, …")]
Schedule = Annotated[str | None, typer.Option(metavar="NAME", help="cosine, one_cycle, warm_up_cosine, plateau, …")]
Rate = Annotated[float | None, typer.Option("--lr", metavar="R", help="learning rate [default: the optimizer's]")]
Epochs = Annotated[int, typer.Option(min=1, metavar="N", help="passes over the data")]
Batch = Annotated[int | None, typer.Option(min=1, metavar="N", help="samples of a step [default: 32; lbfgs: all]")]
Seed = Annotated[int, typer.Option(min=0, metavar="S", help="of weights, order, masks and split")]
Patience = Annotated[int, typer.Option(min=0, metavar="N", help="stop after N epochs without a better held-out loss")]
Init = Annotated[str, typer.Option("--init", metavar="he|glorot|lecun", help="variance of the first weights")]
Held = Annotated[float, typer.Option(metavar="SHARE", help="held out")]
Folds = Annotated[int, typer.Option(min=0, metavar="K", help="cross-validate in K folds")]
Decay = Annotated[str | None, typer.Option(metavar="coupled|decoupled", help="of weights, by --weight-decay")]
Weight = Annotated[float | None, typer.Option("--weight-decay", min=0, metavar="L", help="its strength")]
Clip = Annotated[str | None, typer.Option(metavar="global|norm|value", help="hold gradients, at --clip-at")]
Most = Annotated[float | None, typer.Option("--clip-at", min=0, metavar="C", help="where they are held")]
Ema = Annotated[float, typer.Option("--ema", metavar="B", help="measure and keep an average of weights, as 0.99")]
Sam = Annotated[float, typer.Option("--sam", metavar="RHO", help="take gradients at the worst place so near, as 0.05")]
Dropout = Annotated[float | None, typer.Option(min=0, max=0.95, metavar="P", help="the share that masks drop")]
DType = Annotated[str, typer.Option(metavar="float32|float64", help="of all numbers")]
Out = Annotated[str | None, typer.Option("-o", "--output", metavar="FILE.npz", help="the best parameters")]
Checkpoint = Annotated[str | None, typer.Option(metavar="FILE.npz", help="written whole or not at all, as it goes")]
Every = Annotated[int, typer.Option(min=0, metavar="N", help="steps between checkpoints [default: an epoch]")]
Resume = Annotated[bool, typer.Option("--resume", help="go on from the checkpoint, on the same way")]
Curves = Annotated[str | None, typer.Option(metavar="FILE.png|.svg", help="draw losses, accuracy and rate")]
Plan = Annotated[bool, typer.Option("--plan", help="print cost and memory, and train nothing")]
Test = Annotated[bool, typer.Option("--range-test", help="try growing rates, and suggest one")]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout, for machines")]


def train(
    target: Target,
    data: Data,
    column: Column = None,
    window: Window = None,
    loss: Loss = None,
    size: Size = None,
    optimizer: Optimiser = "adam",
    schedule: Schedule = None,
    lr: Rate = None,
    epochs: Epochs = 20,
    batch: Batch = None,
    seed: Seed = 0,
    patience: Patience = 0,
    init: Init = "he",
    held: Held = 0.2,
    folds: Folds = 0,
    decay: Decay = None,
    weight_decay: Weight = None,
    clip: Clip = None,
    clip_at: Most = None,
    ema: Ema = 0.0,
    sam: Sam = 0.0,
    dropout: Dropout = None,
    dtype: DType = "float32",
    output: Out = None,
    checkpoint: Checkpoint = None,
    every: Every = 0,
    resume: Resume = False,
    curves: Curves = None,
    plan: Plan = False,
    range_test: Test = False,
    as_json: Json = False,
) -> None:
    """Train a model with its emitted code.

    Derives, emits, and trains in minibatches; loss and accuracy are those of held-out data. What is interrupted goes on
    with --resume, on the very same way.
    """
    from .training import Files, run

    given = locals()
    files = Files(output, checkpoint, resume, curves)
    raise typer.Exit(run(target, _asked(given), files, plan, range_test, as_json))


def compare(
    targets: Targets,
    data: Data,
    column: Column = None,
    window: Window = None,
    loss: Loss = None,
    size: Size = None,
    optimizer: Optimiser = "adam",
    schedule: Schedule = None,
    lr: Rate = None,
    epochs: Epochs = 20,
    batch: Batch = None,
    seed: Seed = 0,
    patience: Patience = 0,
    init: Init = "he",
    held: Held = 0.2,
    folds: Folds = 0,
    dtype: DType = "float32",
    as_json: Json = False,
) -> None:
    """Train several models in the same way, and compare accuracy, time and cost."""
    from .training import compare as run

    run(targets, _asked({**locals(), "decay": None, "weight_decay": None, "clip": None, "clip_at": None}), as_json)


def _asked(given: dict[str, Any]) -> Any:
    """The options that are about training."""
    from .training import Asked

    names = ("epochs", "batch", "seed", "patience", "dtype")
    settings = {name: given[name] for name in names if given[name] is not None} | {"scheme": given["init"]}
    settings |= {name: given[name] for name in ("dropout", "every", "ema", "sam") if name in given}
    texts = ("data", "column", "window", "loss", "schedule", "lr", "decay", "weight_decay", "clip", "clip_at", "held")
    named = {name: given[name] for name in (*texts, "folds")}
    return Asked(**named, sizes=given["size"] or [], optimiser=given["optimizer"], settings=settings)
