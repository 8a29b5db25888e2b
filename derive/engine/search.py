"""One derivation: the backward pass, simplified as it goes, then unfolded where that reads better."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from derive.differentiate import Backward
from derive.rewrite import Record
from derive.simplify import Rules, affinely, cost, discovered, expanded, normalised, noticed, oriented
from derive.terms import Algebra, Head, Letter, Poly, Raw, Reader

from .recurrence import Cut, closed, cuts_of, mentions, opened

NAMING = 0.8  # what one more name costs a reader
CANCELLED = 1.5  # what it is worth that a term of an adjoint cancels in its users: nobody need read it
PRODUCT = 1000.0  # a product without a sum, where several results share it, is written out in each
MOST_ROUNDS = 4  # of discovery: each names what the last one left unnamed


@dataclass(eq=False)
class Sheet:
    """One quantity under derivation: ∂L/∂head at `slots`. `raws` is the chain rule's answer before anything else."""

    head: Head
    slots: tuple[Letter, ...]
    raws: list[Raw]
    value: Poly
    record: Record
    bar: Head | None = None  # the adjoint's own name; an input has one too


@dataclass(eq=False)
class Outcome:
    """A finished derivation in the algebra's own terms."""

    reader: Reader
    rules: Rules
    forward: tuple[Head, ...]
    found: tuple[Head, ...]
    sheets: list[Sheet] = field(default_factory=list)  # in the order of derivation
    results: dict[str, Sheet] = field(default_factory=dict)
    extra: tuple[Letter, ...] = ()
    carried: dict[int, Sheet] = field(default_factory=dict)  # names of adjoints that a recurrence carries
    earlier: tuple[tuple[Head, Head], ...] = ()  # such names of an earlier pass, and the adjoints that they are

    @property
    def cost(self) -> float:
        """What a reader pays: the results, the adjoints they rest on, and the names found."""
        algebra = self.reader.algebra
        kept = self.kept()
        total = sum(cost(algebra, s.value) for s in self.results.values()) + sum(cost(algebra, s.value) for s in kept)
        used = {atom[0] for s in (*self.results.values(), *kept) for (f, _), _ in s.value for atom, _ in f}
        return total + 0.5 * sum(cost(algebra, h.definition) for h in self.found if h.id in used)

    def kept(self) -> list[Sheet]:
        """The adjoints of intermediates that the results rest on, in order of derivation."""
        by_bar = {s.bar.id: s for s in self.sheets if s.bar is not None} | self.carried
        needed: dict[int, Sheet] = {}
        stack = [s.value for s in self.results.values()]
        while stack:
            for (factors, _), _ in stack.pop():
                for (head, _), _ in factors:
                    sheet = by_bar.get(head)
                    if sheet is not None and sheet.bar is not None and sheet.bar.id not in needed:
                        needed[sheet.bar.id] = sheet
                        stack.append(sheet.value)
        return [s for s in self.sheets if s.bar is not None and s.bar.id in needed]


@dataclass(frozen=True)
class Task:
    """What is to be derived: through which definitions, for which inputs, from which seeds."""

    reader: Reader
    forward: tuple[Head, ...]
    wanted: tuple[Head, ...]
    seeds: Mapping[int, Poly]
    extra: tuple[Letter, ...] = ()
    assumptions: tuple[Poly, ...] = ()
    staged: bool = False
    earlier: tuple[tuple[Head, Head], ...] = ()  # what an earlier pass carries: names, and what they are


def derived(task: Task) -> Outcome:
    """The derivation with the fewest things to read, found by naming what discovery suggests while that helps."""
    best = _attempt(task, ()) if task.staged else _settled(_search(task))
    for sheet in best.sheets:
        assert sheet.bar is not None
        sheet.bar.args = (sheet.value,)
    return best


def _search(task: Task) -> Outcome:
    """Attempts with ever more of the suggested names, as long as each reads better than the last."""
    best = _attempt(task, ())
    found: tuple[Head, ...] = ()
    for _ in range(MOST_ROUNDS):
        algebra = task.reader.algebra
        polys = [s.value for s in best.sheets] + [s.value for s in best.results.values()]
        new = [h for h in discovered(algebra, polys, best.rules.facts) if h not in found and h not in task.forward]
        if not new:
            return best
        trial = _attempt(task, (*found, *new))
        if trial.cost >= best.cost:
            trials = [_attempt(task, (*found, one)) for one in new] if len(new) > 1 else []
            trial = min(trials, key=lambda t: t.cost, default=trial)
            if trial.cost >= best.cost:
                return best
        best, found = trial, trial.found
    return best


def _attempt(task: Task, found: tuple[Head, ...]) -> Outcome:
    algebra = task.reader.algebra
    rules = Rules(algebra, domain=domain_of(algebra, task.forward))
    oriented(rules, (*task.forward, *found), task.assumptions)
    outcome = Outcome(task.reader, rules, task.forward, found, extra=task.extra, earlier=task.earlier)
    backward = Backward(task.reader, task.forward, task.extra)
    cuts = cuts_of(task.reader, task.forward, task.earlier)
    relevant = _relevant(algebra, task.forward, task.wanted, cuts)
    carried = opened(cuts, backward, relevant)
    statistics = _statistics(algebra, task.forward)
    inlined: dict[int, Sheet] = {}
    for head in reversed(task.forward):
        known = head.id in backward.pending or head.id in carried  # what has a name already needs its equation
        if head.id not in relevant or (head.id not in task.seeds and not known):
            continue
        if not known:  # an output that nothing else uses: its adjoint is the seed itself
            backward.push(head, algebra.raws(task.seeds[head.id]))
            continue
        sheet = _sheet(outcome, backward, head, inlined, task.seeds.get(head.id))
        _shared(outcome, sheet)
        sheet.bar = backward.adjoint(head, sheet.value)
        outcome.sheets.append(sheet)
        if head.id in carried:
            outcome.carried[carried[head.id].id] = sheet
            continue
        backward.push(head, [(1, {(sheet.bar.id, sheet.slots): 1}, frozenset())])
        if head.id in statistics and not task.staged:
            inlined[sheet.bar.id] = sheet
    for head in task.wanted:
        sheet = _sheet(outcome, backward, head, inlined, task.seeds.get(head.id))
        outcome.results[head.label] = sheet
    if not task.staged:
        unfold(outcome)
    return outcome


def _shared(outcome: Outcome, sheet: Sheet) -> None:
    """An adjoint that equals an earlier one is written by its name."""
    algebra = outcome.reader.algebra
    for known in outcome.sheets if sheet.value and cost(algebra, sheet.value) > NAMING else ():
        if known.value == sheet.value and known.slots == sheet.slots and known.bar is not None:
            same = algebra.atom(known.bar, known.slots)
            sheet.record.add("same adjoint", sheet.value, same, "it was found above", (known,))
            sheet.value = same
            return


def _sheet(outcome: Outcome, backward: Backward, head: Head, inlined: Mapping[int, Sheet], seed: Poly | None) -> Sheet:
    """∂L/∂head: the chain rule, δ contracted, adjoints of statistics inserted, then the laws."""
    algebra = outcome.reader.algebra
    slots = backward.slots(head)
    raws = backward.pulled(head, head.slots)
    if seed is not None:
        raws = [*algebra.raws(seed), *raws]
    value = algebra.poly(raws)
    record = Record()
    for _ in inlined:
        mentioned = next((s for i, s in inlined.items() if mentions(value, i)), None)
        if mentioned is None:
            break
        value = _inserted(outcome, value, mentioned, record)
    return Sheet(head, slots, raws, normalised(outcome.rules, value, record), record)


def _inserted(outcome: Outcome, poly: Poly, sheet: Sheet, record: Record) -> Poly:
    """`poly` with the adjoint of a sheet replaced by what it is."""
    algebra = outcome.reader.algebra
    assert sheet.bar is not None
    parts: list[Raw] = []
    for coefficient, factors, bound in algebra.raws(poly):
        at = [(atom, p) for atom, p in factors.items() if atom[0] == sheet.bar.id]
        rest = {atom: p for atom, p in factors.items() if atom[0] != sheet.bar.id}
        terms: list[Raw] = [(coefficient, rest, bound)]
        for (_, letters), power in at:
            body = algebra.relabelled(sheet.value, dict(zip(sheet.slots, letters, strict=True)))
            for _ in range(int(power)):
                terms = [algebra.product(t, raw) for t in terms for raw in algebra.raws(body)]
        parts += terms
    result = algebra.poly(parts)
    record.add("insert an adjoint", poly, result, "the adjoint found above, put in", (sheet,))
    return result


def unfold(outcome: Outcome) -> None:
    """From the inputs outward, write an adjoint out where its users read no worse for it."""
    users: dict[int, dict[int, Sheet]] = {s.bar.id: {} for s in outcome.sheets if s.bar is not None}

    def enter(sheet: Sheet) -> None:
        for head in {atom[0] for (factors, _), _ in sheet.value for atom, _ in factors} & users.keys():
            users[head][id(sheet)] = sheet

    for result in outcome.results.values():
        enter(result)
    for again in (False, True):  # what was dear while it mentioned another adjoint may cancel once that is written out
        for sheet in reversed(outcome.sheets):
            assert sheet.bar is not None
            if any(sheet is kept for kept in outcome.carried.values()):
                enter(sheet)
                continue
            own = [user for user in users[sheet.bar.id].values() if mentions(user.value, sheet.bar.id)]
            if own and _written_out(outcome, sheet, own, again):
                for user in own:
                    enter(user)
            elif own:
                enter(sheet)


def _rests_on_adjoints(algebra: Algebra, poly: Poly) -> bool:
    return any(algebra.heads[a[0]].role == "adjoint" for (factors, _), _ in poly for a, _ in factors)


def _written_out(outcome: Outcome, sheet: Sheet, users: list[Sheet], only_cancelling: bool) -> bool:
    """Insert an adjoint into all its users, if that is not dearer than naming it."""
    algebra = outcome.reader.algebra
    trials, vanished = [], 0
    spare = cost(algebra, sheet.value) + NAMING  # what is saved when the adjoint need not be named
    constant = all(algebra.heads[a[0]].kind == "symbol" for (factors, _), _ in sheet.value for a, _ in factors)
    lone = len(sheet.value) == 1 and not sheet.value[0][0][1] and not _rests_on_adjoints(algebra, sheet.value)
    if constant or (len(users) > 1 and lone):
        spare = PRODUCT  # a product of entries reads as well as a name
    entries = len(sheet.value) == 1 and len(sheet.value[0][0][0]) < 2
    if not entries and any(_side_by_side(algebra, user.value, sheet.bar) for user in users):
        return False  # the adjoint of a slice, placed beside others: a name for each part, as gates have
    for user in users:
        record = Record()
        value = normalised(outcome.rules, _inserted(outcome, user.value, sheet, record), record)
        if _windowed(algebra, sheet.value) and _windowed(algebra, user.value, sheet.bar) and _wider(value, user.value):
            return False  # windows within windows: a sum over every pair, which nobody reads or runs
        spare -= cost(algebra, value) - cost(algebra, user.value)
        vanished += max(0, _multiplied(sheet, user) - len(value))
        spare += CANCELLED * max(0, _multiplied(sheet, user) - len(value))
        if spare < 0:
            return False
        trials.append((user, value, record))
    if only_cancelling and not vanished:
        return False
    for user, value, record in trials:
        user.value = value
        user.record.entries += record.entries
    return True


def _side_by_side(algebra: Algebra, poly: Poly, bar: Head | None) -> bool:
    """Whether several adjoints, this one among them, are each placed by a window."""
    placed = [
        {a[0] for a, _ in factors if algebra.heads[a[0]].role == "adjoint"}
        for (factors, bound), _ in poly
        if bound and any(algebra.heads[a[0]].label == "window" for a, _ in factors)
    ]
    return bar is not None and any(bar.id in heads for heads in placed) and len(set().union(*placed)) > 1


def _windowed(algebra: Algebra, poly: Poly, beside: Head | None = None) -> bool:
    """Whether a term (with the name `beside`) sums over letters that windows tie."""
    return any(
        bound
        and any(algebra.heads[a[0]].label == "window" for a, _ in factors)
        and (beside is None or any(a[0] == beside.id for a, _ in factors))
        for (factors, bound), _ in poly
    )


def _wider(one: Poly, two: Poly) -> bool:
    """Whether a poly sums over more letters than another."""
    return sum(len(bound) for (_, bound), _ in one) > sum(len(bound) for (_, bound), _ in two)


def _multiplied(sheet: Sheet, user: Sheet) -> int:
    """How many terms a user has with an adjoint written out, if none cancels."""
    assert sheet.bar is not None
    own = sheet.bar.id
    return sum(len(sheet.value) ** int(sum(p for a, p in f if a[0] == own)) for (f, _), _ in user.value)


def _settled(outcome: Outcome) -> Outcome:
    """The other ways to write each value, taken where they are strictly shorter."""
    algebra = outcome.reader.algebra
    sheets = (*outcome.kept(), *outcome.results.values())
    noticed(outcome.rules, [sheet.value for sheet in sheets])
    for sheet in sheets:
        for law, words, other in _alternatives(outcome, sheet.value):
            if other != sheet.value and cost(algebra, other) < cost(algebra, sheet.value) - 1e-9:
                sheet.record.add(law, sheet.value, other, words)
                sheet.value = other
    return outcome


def _alternatives(outcome: Outcome, value: Poly) -> Iterable[tuple[str, str, Poly]]:
    """Inputs through the names that centre them (e^−x = 1/y − 1); brackets multiplied out, so that terms cancel."""
    solved = affinely(outcome.rules, value)
    yield "solve a definition", "a sum that is named gives its terms by the name", solved
    for start in (value, solved):
        opened_up = normalised(outcome.rules, expanded(outcome.reader, start))
        yield "multiply out", "the brackets' terms cancel", opened_up
        again = expanded(outcome.reader, opened_up)  # by the laws came new brackets: y p + y (1 − p)
        if again != opened_up:
            yield "multiply out", "the brackets' terms cancel", normalised(outcome.rules, again)


def _relevant(
    algebra: Algebra, forward: tuple[Head, ...], wanted: Iterable[Head], cuts: tuple[Cut, ...] = ()
) -> set[int]:
    """Definitions that depend on what is wanted."""
    depends = {h.id for h in wanted}
    while True:
        for head in forward:
            if depends & set(_atoms(algebra, head.args)):
                depends.add(head.id)
        if not closed(cuts, depends):
            return depends


def _atoms(algebra: Algebra, polys: Iterable[Poly]) -> Iterable[int]:
    """Heads that polys mention, through functions but not through names."""
    stack = list(polys)
    while stack:
        for (factors, _), _ in stack.pop():
            for (head, _), _ in factors:
                yield head
                if algebra.heads[head].kind == "op":
                    stack.extend(algebra.heads[head].args)


def domain_of(algebra: Algebra, forward: Iterable[Head]) -> set[int]:
    """Heads under a negative power or a root somewhere in the formula: it has slopes only where they are not 0."""
    found: set[int] = set()
    stack = [p for h in forward for p in h.args]
    while stack:
        for (factors, _), _ in stack.pop():
            for (head, _), power in factors:
                if power < 0 or (power.denominator != 1 and power < 1):  # u^(3/2) has a slope at 0
                    found.add(head)
                if algebra.heads[head].kind == "op":
                    stack.extend(algebra.heads[head].args)
                    if algebra.heads[head].label == "log":
                        found.update(a[0] for p in algebra.heads[head].args for (f, _), _ in p for a, _ in f)
    return found


def _statistics(algebra: Algebra, forward: tuple[Head, ...]) -> set[int]:
    """Names that some later definition spreads over more letters than they have (μ, σ, Σ exp)."""
    names = {h.id for h in forward}
    found: set[int] = set()
    for head in forward:
        own = set(head.slots)
        stack = [head.definition]
        while stack:
            for (factors, _), _ in stack.pop():
                for (inner, letters), _ in factors:
                    if inner in names and set(letters) < own:
                        found.add(inner)
                    kind = algebra.heads[inner]
                    if kind.kind == "op":
                        stack.extend(algebra.arguments(kind, letters))
    return found


__all__ = ["Outcome", "Sheet", "Task", "derived", "domain_of", "unfold"]
