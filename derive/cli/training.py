"""`derive train` and `derive compare`: trains a target with emitted code on data, and says what came out."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .output import emit, emit_json
from .problems import DONE, NO, BadInput, complain
from .target import Library, parse
from .verifying import progress

DECAYING = ("adamw", "lion", "lamb", "adan", "lars", "novograd", "adafactor", "muon")  # they have a decay of their own
WHOLE = 10**9  # a batch that holds all there is


@dataclass(frozen=True)
class Asked:
    """What the command line says, as text and numbers."""

    data: str
    column: str | None
    window: int | None
    loss: str | None
    sizes: Sequence[str]
    optimiser: str
    schedule: str | None
    lr: float | None
    decay: str | None
    weight_decay: float | None
    clip: str | None
    clip_at: float | None
    held: float
    folds: int
    settings: dict[str, Any]


@dataclass(frozen=True)
class Files:
    """Where things go."""

    output: str | None
    checkpoint: str | None
    resume: bool
    curves: str | None


def run(target: str, asked: Asked, files: Files, plan: bool, test: bool, as_json: bool) -> int:
    """Train, and print what came out; or only the plan; or a range test. The exit code: 1 if it diverges."""
    from derive.train import Diverged

    if asked.folds and (files.checkpoint or files.output):
        raise BadInput("--folds: it trains several times: leave --checkpoint and --output out")
    if files.resume and not files.checkpoint:
        raise BadInput("--resume: expected --checkpoint FILE as well")
    _fit(files)
    path = Path(files.checkpoint) if files.checkpoint else None
    made = _prepared(target, asked, path)
    for line in _notes(made[0]):
        complain(line)
    if plan:
        from derive.train.plan import counted, lines

        found = counted(made[0])
        emit_json(found) if as_json else emit("\n".join(lines(found)))
        return DONE
    if test:
        _tested(made[0], as_json)
        return DONE
    if path is not None:
        _placed(made[0], path, files.resume)
    try:
        seconds = _trained(made)
    except Diverged as problem:
        complain(problem)
        return NO
    _written(made, files)
    found = _summary(made, seconds)
    emit_json(found) if as_json else emit("\n".join(_page(made, found)))
    return DONE


def _fit(files: Files) -> None:
    """What will be written can be: this is asked before the work, not after it."""
    for word, name in (("--output", files.output), ("--checkpoint", files.checkpoint), ("--curves", files.curves)):
        if name is not None and not (folder := Path(name).resolve().parent).is_dir():
            raise BadInput(f"{word} {name}: there is no folder {folder}")
        if name is not None and Path(name).is_dir():
            raise BadInput(f"{word} {name}: it is a folder: expected the name of a file")
    if files.curves and Path(files.curves).suffix.lower() not in (".png", ".svg"):
        raise BadInput(f"--curves {files.curves}: expected a name that ends in .png or .svg")


def _prepared(target: str, asked: Asked, path: Path | None) -> list[Any]:
    from derive.train import Settings, Wish, load, trainings

    library = Library()
    model = library.formula(target)
    optimiser = _named(asked.optimiser, "--optimizer", library)
    schedule = _named(asked.schedule or "none", "--schedule", library)
    wish = Wish(
        optimiser=optimiser[0],
        options={**optimiser[1], **_more(asked)},
        schedule=None if asked.schedule is None else schedule[0],
        schedule_options=schedule[1],
        lr=asked.lr,
        decay=asked.decay,
        clip=asked.clip,
        loss=library.formula(asked.loss) if asked.loss else None,
        sizes=_sizes(asked.sizes),
        held=asked.held,
        settings=Settings(**{"batch": WHOLE if optimiser[0] == "lbfgs" else 32, **asked.settings}),
    )
    return trainings(model, load(asked.data, asked.column, asked.window), wish, asked.folds, path)


def _more(asked: Asked) -> dict[str, float]:
    """Options that stand apart: how strong a decay, where clipping holds."""
    if asked.clip_at is not None and asked.clip is None:
        raise BadInput("--clip-at: expected --clip global, norm or value as well")
    if asked.clip_at is not None and not asked.clip_at > 0:
        raise BadInput(f"--clip-at {asked.clip_at}: expected a positive number")
    if asked.weight_decay is not None and asked.decay is None and parse(asked.optimiser)[0].name not in DECAYING:
        raise BadInput("--weight-decay: expected --decay coupled or decoupled as well")
    found = {"weight_decay": asked.weight_decay, "most": asked.clip_at}
    return {name: value for name, value in found.items() if value is not None}


def _named(text: str, option: str, library: Library) -> tuple[Any, dict[str, Any]]:
    """A name, or the formula of a file, and its options: cosine(eta_min=1e-5), mine.py:descent(lr=0.1)."""
    items = parse(text)
    if len(items) != 1:
        raise BadInput(f"{option} {text}: expected a name, as in adam(beta1=0.8), or FILE.py:NAME")
    own = library.formula(f"{items[0].file}:{items[0].name}") if items[0].file else None
    return own or items[0].name, {name: _steps(value) for name, value in items[0].options}


def _steps(value: Any) -> Any:
    """Several whole numbers in one text, as in multistep(milestones="30 60"), are a list."""
    words = value.split() if isinstance(value, str) else []
    return [int(word) for word in words] if words and all(map(str.isdecimal, words)) else value


def _sizes(given: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in (part for text in given for part in text.split(",")):
        name, _, value = (word.strip() for word in part.partition("="))
        if not name.isidentifier() or not value.isdecimal() or not 0 < int(value) < 10**9:
            raise BadInput(f"--size {part}: expected a length such as H=32")
        found[name] = int(value)
    return found


def _notes(training: Any) -> Iterator[str]:
    net = training.net
    if net.chosen:
        told = ", ".join(f"{name}={net.lengths[s]}" for name in net.chosen for s in net.lengths if str(s) == name)
        yield f"nobody says how long some axes are, so: {told}; another length with --size"
    if net.model is None and net.t is not None and net.aim.distance and not training.data.train.classes:
        yield f"the targets {net.t} are standardised, as the samples are"


def _placed(training: Any, path: Path, resume: bool) -> None:
    """A checkpoint that is there is gone on from, if that is what is asked for."""
    from derive.train.checkpoint import swept

    swept(path.resolve())
    if resume and path.exists():
        training.resume(path)
        complain(f"going on from step {training.step_number}, epoch {training.epoch + 1}")
    elif path.exists():
        raise BadInput(f"--checkpoint {path}: it is there already: go on from it with --resume, or remove it")


def _trained(made: list[Any]) -> float:
    """Runs each; the seconds it took, code and all."""
    begun = time.perf_counter()
    total = sum(t.steps * t.settings.epochs for t in made)
    before = 0
    with progress(total, "train") as show:

        def tick(training: Any) -> None:
            curve = training.curve
            held = f"held out {curve.held[-1]:.4g}, {100 * curve.metric[-1]:.1f} %" if curve.held else ""
            show(f"epoch {training.epoch + 1} {held}", before + training.step_number)

        for training in made:
            training.run(tick)
            before += training.steps * training.settings.epochs
    return time.perf_counter() - begun


def _written(made: list[Any], files: Files) -> None:
    from derive.train.checkpoint import save

    if files.output:
        save(Path(files.output), made[0].best)
    if files.curves:
        from derive.train.curves import picture

        drawn = picture([t.curve for t in made], _metric(made[0]), Path(files.curves).suffix.lower().lstrip("."))
        beside = Path(files.curves).with_name(f".{Path(files.curves).name}.part")
        beside.write_bytes(drawn)
        beside.replace(files.curves)


def _metric(training: Any) -> str:
    train = training.data.train
    return "accuracy" if train.classes or train.marked else "R²"


def _summary(made: list[Any], seconds: float) -> dict[str, Any]:
    found = [t.measured(t.best) for t in made]
    metrics = [metric for _, metric in found]
    return {
        "loss": made[0].net.loss.name,
        "data": made[0].data.train.name,
        "optimizer": made[0].optimiser.name,
        "epochs": [t.epoch for t in made],
        "steps": [t.step_number for t in made],
        "held_loss": [loss for loss, _ in found],
        "held_metric": metrics,
        "mean": sum(metrics) / len(metrics),
        "metric": _metric(made[0]),
        "parameters": sum(a.size for a in made[0].params.values()),
        "seconds": round(seconds, 3),
    }


def _page(made: list[Any], found: dict[str, Any]) -> Iterator[str]:
    train = made[0].data
    yield f"{found['loss']} on {found['data']}: {found['parameters']} parameters"
    yield f"{len(train.train)} samples to train, {len(train.held)} held out; {found['optimizer']}"
    for k, training in enumerate(made):
        fold = f"fold {k + 1}: " if len(made) > 1 else ""
        taken = f"{_many(training.step_number, 'step')}, {_many(training.epoch, 'epoch')}"
        yield (f"{fold}{taken}; held-out loss {found['held_loss'][k]:.4g}"
               f"{_percent(found, found['held_metric'][k])}")  # fmt: skip
    if len(made) > 1:
        loss = sum(found["held_loss"]) / len(made)
        yield f"mean of {len(made)} folds: held-out loss {loss:.4g}{_percent(found, found['mean'])}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _percent(found: dict[str, Any], value: float) -> str:
    if math.isnan(value):
        return ""
    return f", accuracy {100 * value:.1f} %" if found["metric"] == "accuracy" else f", R² {value:.4f}"


def _tested(training: Any, as_json: bool) -> None:
    """The range test: rates, losses, and a rate to try."""
    from derive.train import range_test

    rates, losses, best = range_test(training)
    if as_json:
        emit_json({"rates": rates.tolist(), "losses": losses.tolist(), "suggestion": best})
        return
    rows = range(0, len(rates), max(1, len(rates) // 12))
    emit("\n".join([*(f"{rates[k]:10.2e}  {losses[k]:.4g}" for k in rows), f"suggested: --lr {best:.2g}"]))


def compare(targets: Sequence[str], asked: Asked, as_json: bool) -> None:
    """Each target trained in the same way; accuracy, time and cost beside each other."""
    from derive.train.plan import counted

    rows = []
    for target in targets:
        made = _prepared(target, asked, None)
        plan = counted(made[0])
        seconds = _trained(made)
        found = _summary(made, seconds)
        row = {name: found[name] for name in ("mean", "metric", "parameters", "seconds")}
        held = sum(found["held_loss"]) / len(made)
        rows.append({"target": target, **row, "held_loss": held, "flops_a_step": plan["flops a step"]})
    if as_json:
        emit_json(rows)
        return
    width = max(len(target) for target in targets)
    heads = f"{rows[0]['metric']:>9}  {'held loss':>9}  {'parameters':>10}  {'Mflops/step':>11}  {'seconds':>7}"
    head = f"{'':<{width}}  {heads}"
    table = [f"{r['target']:<{width}}  {r['mean']:9.4f}  {r['held_loss']:9.4g}  {r['parameters']:10d}  "
             f"{r['flops_a_step'] / 1e6:11.3g}  {r['seconds']:7.1f}" for r in rows]  # fmt: skip
    emit("\n".join([head, *table]))
