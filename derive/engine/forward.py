"""Forward accumulation: the tangent of every definition, in order."""

from __future__ import annotations

from collections.abc import Mapping

from derive.differentiate import partials
from derive.rewrite import Record
from derive.simplify import Rules, normalised, oriented
from derive.terms import Head, Letter, Poly, Raw, Reader

from .recurrence import cuts_of, named
from .search import Outcome, Sheet, domain_of, unfold


def pushed(
    reader: Reader,
    forward: tuple[Head, ...],
    outputs: tuple[Head, ...],
    dots: Mapping[int, Head],
    assumptions: tuple[Poly, ...],
) -> Outcome:
    """Tangents of the outputs, given the heads of the inputs' tangents."""
    algebra = reader.algebra
    rules = oriented(Rules(algebra, domain=domain_of(algebra, forward)), forward, assumptions)
    outcome = Outcome(reader, rules, forward, ())
    known: dict[int, Head] = dict(dots)
    token = object()
    cuts = {cut.target.id: cut for cut in cuts_of(reader, forward)}
    for cut in cuts.values():
        known[cut.carried.id] = named(algebra, f"{cut.target.label}_dot", cut.target.slots)
    for head in forward:
        raws = _tangent(reader, head, known)
        if not raws:
            continue
        record = Record()
        sheet = Sheet(head, head.slots, raws, normalised(rules, algebra.poly(raws), record), record)
        if head in outputs:
            outcome.results[head.label] = sheet
        sheet.bar = algebra.head(("tangent", token, head.id), "name", f"{head.label}_dot", head.spaces,
                                 slots=head.slots, args=(sheet.value,), role="tangent", of=head.label)  # fmt: skip
        known[head.id] = sheet.bar
        if head not in outputs:
            outcome.sheets.append(sheet)
        if head.id in cuts:
            outcome.carried[known[cuts[head.id].carried.id].id] = sheet
    for head in outputs:  # an output that does not depend on the inputs has tangent 0
        outcome.results.setdefault(head.label, Sheet(head, head.slots, [], (), Record()))
    unfold(outcome)
    for sheet in outcome.sheets:
        assert sheet.bar is not None
        sheet.bar.args = (sheet.value,)
    return outcome


def _tangent(reader: Reader, head: Head, known: Mapping[int, Head]) -> list[Raw]:
    algebra = reader.algebra
    parts: list[Raw] = []
    for target, letters, (coefficient, factors, bound) in partials(reader, algebra.raws(head.definition)):
        if target.id in known:
            at: tuple[Letter, ...] = letters
            parts.append(
                algebra.product((coefficient, factors, bound), (1, {(known[target.id].id, at): 1}, frozenset()))
            )
    return parts
