"""The text says what the engine says: printed LaTeX is read back, evaluated with NumPy, and held against the oracle.

The readers (latex_reader, matrix_reader) share no code with the printers. In indices every definition, every name and
every result of the catalogue is read; of some formulas every printed step.
"""

import re
import warnings

import numpy as np
import pytest
from document_reader import MATHS, chains, items
from latex_reader import Reader, Unread, Values, name_of, target
from matrix_reader import Block, Identity, MatrixReader, entrywise, small

from derive import Notation, catalogue, gradient
from derive.axes import Axis, MatrixFunction, definitions
from derive.oracle import evaluate, extent
from derive.verify.sample import Sampler

# Not read here: a recurrence defines two names by one another, and what belongs to a spectrum has no fixed sign.
SPECTRAL = {"Eigenvalue", "Eigenvector", "SingularValue", "LeftVector", "RightVector"}


def readable(traced):
    """Whether the readers know everything that is printed of a formula."""
    recurs = any(t.name.endswith("_before") for t in traced.definitions)
    spectral = {type(node).__name__ for t in traced.definitions for node in t.body.atoms(MatrixFunction)} & SPECTRAL
    return not recurs and not spectral


DIFFERENTIABLE = sorted(
    name for name in catalogue if any(p.type is not None and p.type.dtype == "real" for p in catalogue[name].tensors)
)
READ = [name for name in DIFFERENTIABLE if readable(catalogue[name].trace())]
STEPPED = ["attention", "batch_norm", "conv2d", "cross_entropy", "dense", "gelu", "huber_loss", "layer_norm",
           "max_pool2d", "mlp", "softmax", "variational_autoencoder"]  # fmt: skip
REL = 1e-7


def drawn(d):
    """A random point that satisfies what is assumed, its lengths told apart."""
    outcome = [tensor.body for tensor in d.tensors.values()]
    sampler = Sampler(d.traced, (*outcome, *(u[u.axes] for u in d.derived.upstreams)))
    return sampler.point(np.random.default_rng([0]), "distinct")


def known(document, d, point, origin, by_indices):
    """What the names in a document stand for, by its list of inputs and by the point."""
    values = Values()
    values.origin = origin
    given = items(document)
    tensors = list(d.traced.inputs)
    for tensor in tensors:
        maths, _ = given.pop(0)
        _, _, inside = maths[0].partition(" = (")
        name = plain(inside.rstrip(")") if inside else maths[0])
        array = point.arrays[tensor.name]
        moved = origin if tensor.dtype == "int" and tensor.bound is not None else 0
        values.arrays[name] = array + moved if moved else array
        for shown, count in zip(maths[1].split(r" \times ") if tensor.axes else (), array.shape, strict=True):
            if target(shown) is not None or re.fullmatch(r"[A-Z]_\w|[A-Z]_\{\w+\}", shown):
                values.numbers[name_of(shown)] = count
    for scalar in d.traced.scalars:
        maths, _ = given.pop(0)
        values.numbers[symbol(maths[0])] = point.scalars[scalar.name]
    for size in d.traced.sizes:
        maths, _ = given.pop(0)
        values.numbers[symbol(maths[0])] = point.sizes[size]
    for size, number in point.sizes.items():
        values.numbers.setdefault(letter_of(str(size)), number)
        values.numbers.setdefault(f"N_{str(size).lower()}", number)
    for maths, line in given:
        if " and 0 outside" in line:
            values.padded[plain(maths[0])] = plain(maths[1])
        elif maths and " = " in maths[0]:
            name, _, body = maths[0].partition(" = ")
            values.numbers[name_of(name)] = int(np.rint(values.over(Reader(body, {}).sum(), [])))
    for letter in letters_in(d):
        for name in {letter.name, re.sub(r"_\d+$", "", letter.name)}:  # d_1 is printed d′, or d_1 where it is declared
            values.lengths.setdefault(letter_of(name), set()).add(extent(letter, point.sizes))
    upstreams = re.search(r"is differentiated is .*?, where (.*?) (?:is|are) the given", document.replace("\n", " "))
    if upstreams:
        for maths, tensor in zip(MATHS.findall(upstreams[1]), d.derived.upstreams, strict=True):
            indexed = by_indices or len(tensor.axes) > 2
            name = plain(maths) if indexed else MatrixReader(maths, None).name()
            values.arrays[small(name)] = values.arrays[name] = point.arrays[tensor.name]
    return values


def letters_in(d):
    found = {a for t in (*d.traced.inputs, *d.traced.definitions) for a in t.axes}
    for tensor in d.traced.definitions:
        found |= tensor.body.atoms(Axis)
    for e in d.derivation.equations:
        found |= e.result.atoms(Axis)
    return sorted(found, key=lambda a: (str(a.name), str(a.size)))


def letter_of(name):
    """How an index or a length of that name is written: o_1, \\mathrm{head}."""
    stem, _, number = name.partition("_")
    if len(stem) == 1 and (not number or number.isalnum()):
        return f"{stem}_{number}" if number else stem
    return r"\mathrm{" + name.replace("_", r"\_") + "}"


def plain(maths):
    return target(maths)[0]


def symbol(maths):
    return name_of(maths.partition(" = ")[0])


class Document:
    """A document read: every chain evaluated once what it rests on is known."""

    by_indices = True

    def __init__(self, source, d, point, origin=0):
        self.values, self.d, self.point = known(source, d, point, origin, self.by_indices), d, point
        self.results, self.compared = [], 0
        self.problems = {}
        self.order = waiting = chains(source)
        parts = [target(part) for chain in waiting for part in sides(chain.target)]
        self.defined = {found[0] for found in parts if found is not None}
        named = {t.name: t for e in d.derivation.equations for t in definitions([e.result])}
        named |= {t.name: t for t in d.traced.definitions}
        named |= {e.tensor.name: e.tensor for e in d.derivation.equations if e.tensor is not None}
        self.found = {re.sub(r"_(\w+)$", lambda m: f"^({m[1].replace('_', ',')})", n): t for n, t in named.items()}
        self.axes = dict(enumerate(tensor.axes for tensor in d.traced.definitions)) if self.by_indices else {}
        while waiting:
            ranks = dict.fromkeys(self.values.numbers, -1) | self.values.ranks()
            for chain in waiting:
                for part in chain.target.split(" = "):
                    named = target(part)
                    if named is not None and ranks.get(named[0], -1) < 0 and (named[1] or self.by_indices):
                        ranks[named[0]] = len(named[1])
            left = [chain for chain in waiting if not self.settled(chain, ranks)]
            if len(left) == len(waiting):
                raise Unread("these cannot be read: " + "; ".join(self.problems[chain.target] for chain in left))
            waiting = left

    def sizes(self, head, place):
        """The lengths of a target's letters: those of the definition, or of what is differentiated."""
        if place in self.axes:
            return [extent(axis, self.point.sizes) for axis in self.axes[place]]
        if head[0][0] == "entry" and head[0][1] in self.values.arrays:
            return list(np.shape(self.values.arrays[head[0][1]]))
        if head[0][0] == "entry" and head[0][1] in self.found:
            return [extent(axis, self.point.sizes) for axis in self.found[head[0][1]].axes]
        of = [target(part[2].removeprefix(r"\partial")) for part in head if part[0] == "derivative"]
        known = of and of[0] and of[0][0] in self.values.arrays
        return list(np.shape(self.values.arrays[of[0][0]])) if known else None

    def settled(self, chain, ranks):
        """Evaluate a chain: its sides agree; what it defines is known from now on."""
        try:
            head = [Reader(part, ranks).side() for part in sides(chain.target)]
            rows = [Reader(row, ranks).whole()[0] for row in chain.rows]
            letters = free(head)
            sizes = self.sizes(head, self.order.index(chain))
            sizes = sizes if sizes is not None and len(sizes) == len(letters) else None
            found = [self.values.over(row, letters, sizes) for row in rows]
            for part in head:
                if part[0] == "derivative":
                    continue
                if part[0] == "entry" and part[1] not in self.values.arrays:
                    self.values.arrays[part[1]] = found[-1]
                    continue
                found.append(self.values.over(part, letters, sizes))
        except (Unread, KeyError) as problem:
            self.problems[chain.target] = f"{chain.target}: {problem}"
            return False
        for one in found[:-1]:
            agree(one, found[-1], chain)
            self.compared += 1
        if head[0][0] == "derivative":
            name = target(head[0][2].removeprefix(r"\partial"))
            self.results.append((self.order.index(chain), name[0] if name else head[0][2], found[-1]))
        return True


def sides(source):
    """`A = B` apart, where = stands outside of brackets."""
    depth, parts = 0, [""]
    for token in re.split(r"([{}()\[\]=])", source):
        depth += (token in ("{", "(", "[")) - (token in ("}", ")", "]"))
        if token == "=" and depth == 0:
            parts.append("")
        else:
            parts[-1] += token
    return [part.strip() for part in parts]


def free(head):
    """The letters of what an equation is about, in order."""
    letters = {}
    for part in head:
        if part[0] == "derivative":
            letters.update(dict.fromkeys((target(part[2].removeprefix(r"\partial")) or ("", ()))[1]))
        else:
            letters.update(dict.fromkeys(_letters(part)))
    return list(letters)


def _letters(node):
    if isinstance(node, tuple) and node and node[0] == "letter":
        yield node[1]
    elif isinstance(node, tuple) and node and node[0] in ("sum", "prod", "max", "min", "argmax", "argmin"):
        inner = [a for part in node[2:4] for a in _letters(part)]
        yield from (a for a in inner if a not in node[1])
    elif isinstance(node, (list, tuple)):
        for part in node:
            yield from _letters(part)


def agree(found, expected, what):
    error = np.abs(np.asarray(found, float) - expected) / (1 + np.abs(expected))
    assert np.shape(found) == np.shape(expected) and np.nanmax(error, initial=0) <= REL, (what, found, expected)
    assert not np.isnan(np.asarray(found, float) - expected).any() or np.isnan(expected).any(), what


def expected_of(d, point):
    return [np.asarray(evaluate(t.body, point, t.axes), dtype=float) for t in d.tensors.values()]


def read(d, point, kind, detail, notation, origin=0):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return kind(d.latex(notation, detail), d, point, origin)


def compare(d, point, document, name):
    """The results that were read against the oracle's values of what the engine found."""
    expected = expected_of(d, point)
    results = [(variable, value) for _, variable, value in sorted(document.results, key=lambda r: r[0])]
    variables = list(dict.fromkeys(variable for variable, _ in results))
    assert len(variables) == len(expected), (variables, list(d.tensors))
    for variable, found in results:
        true = expected[variables.index(variable)]
        agree(over(found, true.shape), true, (name, variable))
    return document


class MatrixDocument(Document):
    """A document in matrix notation: what is written without indices is read as matrices, the rest in indices."""

    def lookup(self, name):
        values = self.values
        for known in (name, small(name)):
            if known in self.blocks:
                return self.blocks[known]
            if known in values.arrays:
                array = np.asarray(values.arrays[known], dtype=float)
                return block(array) if array.ndim < 3 else None
            if known in self.defined:
                return None
            plain_name = re.sub(r"\^\((.*)\)", r"_\1", known)
            if plain_name in values.numbers:
                return float(values.numbers[plain_name])
        return None

    def settled(self, chain, ranks):
        self.blocks = getattr(self, "blocks", {})
        parts = sides(chain.target)
        try:
            plain_parts = [part for part in parts if "partial" not in part]
            named = [name for name in map(bare, plain_parts) if name]
            stated = [MatrixReader(part, self.lookup).whole()[0] for part in plain_parts if not bare(part)]
            if any(self.indexed(part) for part in parts):
                raise Unread(f"{chain.target} has indices")
            rows = [MatrixReader(row, self.lookup).whole()[0] for row in chain.rows]
        except Unread as problem:
            matrix_problem = f"{chain.target} as matrices: {problem}"
            scalars = {t[0]: 0 for t in map(target, parts) if t is not None and not t[1] and t[0] not in ranks}
            if super().settled(chain, ranks | scalars):
                return True
            self.problems[chain.target] = f"{matrix_problem}; {self.problems[chain.target]}"
            return False
        self.in_matrices += 1
        for row in (*stated, *rows[:-1]):
            agree_blocks(row, rows[-1], chain)
            self.compared += 1
        if "partial" in parts[0]:
            variable = MatrixReader(parts[0].rsplit(r"\partial", 1)[1].rstrip()[:-1], None).name()
            self.results.append((self.order.index(chain), small(variable), rows[-1]))
        for name in named:
            if self.lookup(name) is not None:
                agree_blocks(self.lookup(name), rows[-1], chain)
            self.blocks[name] = rows[-1]
            array = plain_array(rows[-1])
            if array is not None:
                for known_as in (name, small(name)):
                    self.values.arrays.setdefault(known_as, array)
        return True

    in_matrices, by_indices = 0, False

    def indexed(self, part):
        """Whether a target has indices: x_{b i}; S_1 has none."""
        if "partial" in part:
            part = part.rsplit(r"\partial", 1)[1].rstrip("} ")
            part += "}" * (part.count("{") - part.count("}"))
            if self.lookup(MatrixReader(part, None).name()) is not None:
                return False
        found = target(part)
        return found is not None and bool(found[1]) and {a.rstrip("'") for a in found[1]} <= set(self.values.lengths)


def bare(part):
    """The name that a side of an equation is; None for anything more."""
    reader = MatrixReader(part, None)
    try:
        name = reader.name()
    except Unread:
        return None
    return None if reader.next else name


def block(array):
    return float(array) if array.ndim == 0 else Block(array[:, None] if array.ndim == 1 else array)


def plain_array(value):
    """The array of a value whose lengths are all known; a vector has one axis."""
    if isinstance(value, float):
        return np.asarray(value)
    if not isinstance(value, Block) or value.rows_open or value.columns_open:
        return None
    return value.array[:, 0] if value.array.shape[1] == 1 else value.array


def agree_blocks(one, two, what):
    difference = entrywise(np.subtract, one, two)
    scale = entrywise(np.abs, two)
    error = np.abs(getattr(difference, "array", difference)) / (1 + np.max(getattr(scale, "array", scale)))
    assert np.max(error) <= REL, what


def over(value, shape):
    """A result in the shape of its variable: a gradient by a row is the vector."""
    if isinstance(value, float):
        return np.broadcast_to(value, shape)
    if isinstance(value, Block):
        if len(shape) == 1:
            return np.broadcast_to(value.array.ravel(), shape)
        return np.broadcast_to(value.array, shape)
    return value.scale * np.eye(shape[0]) if isinstance(value, Identity) else np.asarray(value)


def test_nearly_everything_is_read():
    assert len(READ) > 0.9 * len(DIFFERENTIABLE) > 200


@pytest.mark.parametrize("name", READ)
def test_results(name):
    """Every definition, name and result of the catalogue, in indices (with ranges) and in matrices."""
    d = gradient(catalogue[name])
    point = drawn(d)
    compare(d, point, read(d, point, Document, "brief", Notation(ranges=True)), name)
    if any(len(tensor.axes) in (1, 2) for tensor in d.tensors.values()):
        compare(d, point, read(d, point, MatrixDocument, "brief", Notation("matrix", ranges=True)), name)


@pytest.mark.parametrize("name", STEPPED)
def test_steps(name):
    """Every printed step equals its neighbour, in indices and in matrices."""
    d = gradient(catalogue[name])
    point = drawn(d)
    steps = sum(1 for _ in d.derivation.steps())
    document = compare(d, point, read(d, point, Document, "full", Notation(ranges=True)), name)
    assert document.compared >= steps / 3
    compare(d, point, read(d, point, MatrixDocument, "normal", Notation("matrix", ranges=True)), name)


@pytest.mark.parametrize("name", ["conv2d", "cross_entropy", "max_pool2d", "rotary_embedding", "embedding", "softmax"])
def test_indices_from_one(name):
    d = gradient(catalogue[name])
    point = drawn(d)
    compare(d, point, read(d, point, Document, "brief", Notation(ranges=True, from_one=True), origin=1), name)
