"""The text says what the engine says: printed LaTeX is read back, evaluated with NumPy, and held against the oracle.

The readers (latex_reader, matrix_reader) share no code with the printers. In indices every definition, every name and
every result of the catalogue is read; of some formulas every printed step.
"""

import itertools
import re
import warnings

import numpy as np
import pytest
from document_reader import MATHS, chains, items
from latex_reader import GREEK, Reader, Unread, Values, name_of, target
from matrix_reader import LETTER, WORD, Block, Identity, MatrixReader, entrywise, small

from derive import Notation, catalogue, gradient
from derive.axes import Axis, Carried, Entry, MatrixFunction, PaddedEntry, definitions
from derive.oracle import evaluate, extent
from derive.verify.sample import Sampler

# Not read here: what belongs to a spectrum has no fixed sign.
SPECTRAL = {"Eigenvalue", "Eigenvector", "SingularValue", "LeftVector", "RightVector",
            "OrthonormalFactor", "TriangularFactor", "GeneralEigenvalue", "GeneralEigenvector"}  # fmt: skip


def readable(traced):
    """Whether the readers know everything that is printed of a formula."""
    spectral = {type(node).__name__ for t in traced.definitions for node in t.body.atoms(MatrixFunction)} & SPECTRAL
    return not spectral


DIFFERENTIABLE = sorted(
    name for name in catalogue if any(p.type is not None and p.type.dtype == "real" for p in catalogue[name].tensors)
)
READ = [name for name in DIFFERENTIABLE if readable(catalogue[name].trace())]
STEPPED = ["attention", "batch_norm", "conv2d", "cross_entropy", "dense", "gelu", "huber_loss", "layer_norm",
           "max_pool2d", "mlp", "rnn", "soft_dtw", "softmax", "variational_autoencoder"]  # fmt: skip
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
        shown, _, inside = maths[0].partition(" = (")
        name = plain(inside.rstrip(")") if inside else maths[0])
        shown = re.sub(r"\\mathrm\{.*?\}", "", shown)
        if inside and "_" in shown:
            mark = re.search(r"\^\((.*)\)", name)
            lowered = shown.rpartition("_")[2].strip("{}").removesuffix("}^\\top").split(",")
            lowered = lowered[len(mark[1].split(",")) :] if mark else lowered
            below = re.findall(r"[a-z]", "".join(lowered))
            letters = target(inside.rstrip(")"))[1]
            values.steps |= {a: point.arrays[tensor.name].shape[letters.index(a)] for a in below if a in letters}
            values.outer |= {a.size for a, letter in zip(tensor.axes, letters, strict=True) if letter in below}
        values.tensors[name] = tensor
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
            half = len(maths) // 2
            values.padded |= {plain(tilde): plain(own) for tilde, own in zip(maths[:half], maths[half:], strict=True)}
        elif maths and " = " in maths[0]:
            name, _, body = maths[0].partition(" = ")
            values.numbers[name_of(name)] = int(np.rint(values.over(Reader(body, {}).sum(), [])))
    for letter in letters_in(d):
        for name in {letter.name, re.sub(r"_\d+$", "", letter.name)}:  # d_1 is printed d′, or d_1 where it is declared
            values.lengths.setdefault(letter_of(name), set()).add(extent(letter, point.sizes))
    upstreams = re.search(r"is differentiated is .*?, where (.*?) (?:is|are) the given", document.replace("\n", " "))
    if upstreams:
        for maths, tensor in zip(MATHS.findall(upstreams[1]), d.derived.upstreams, strict=True):
            found = target(maths)
            indexed = by_indices or (found is not None and len(found[1]) == len(tensor.axes) > 2)
            reader = MatrixReader(maths, None, values.steps, dict.fromkeys(values.steps, 0))
            name = plain(maths) if indexed else reader.placed()[0]
            values.tensors[small(name)] = values.tensors[name] = tensor
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


def written(name):
    """How a tensor is written: u^(1), \\hat{x}, \\mathrm{row}, \\tau."""
    stem, *marks = name.split("_")
    if marks and marks[-1] == "bar":
        plain_name, _, mark = written(name.removesuffix("_bar")).partition("^")
        over = r"\overline" if plain_name.startswith(r"\mathrm") else r"\bar"
        return f"{over}{{{plain_name}}}" + (f"^{mark}" if mark else "")
    accent = re.fullmatch(r"(.+)(hat|tilde)", stem)
    base = accent[1] if accent else stem
    greek = {"epsilon": r"\varepsilon", "phi": r"\varphi"}.get(base, rf"\{base}")
    if marks and len(base) > 1 and greek not in GREEK and not all(mark.isdigit() for mark in marks):
        return rf"\mathrm{{{name}}}".replace("_", r"\_")  # gates_first: a word of words
    base = base if len(base) == 1 else greek if greek in GREEK else rf"\mathrm{{{base}}}"
    marks = [rf"\mathrm{{{mark}}}" if len(mark) > 1 and mark.isalpha() else mark for mark in marks]
    return (rf"\{accent[2]}{{{base}}}" if accent else base) + (f"^({','.join(marks)})" if marks else "")


def plain(maths):
    return target(maths)[0]


def symbol(maths):
    return name_of(maths.partition(" = ")[0])


class Document:
    """A document read: every chain evaluated once what it rests on is known."""

    by_indices = True

    def __init__(self, source, d, point, origin=0):
        self.values, self.d, self.point = known(source, d, point, origin, self.by_indices), d, point
        self.results, self.compared, self.lowers = [], 0, "what stands below a matrix" in source
        self.problems, self.pieces = {}, {}
        self.order = waiting = chains(source)
        parts = [target(part) for chain in waiting for part in sides(chain.target)]
        self.defined = {found[0] for found in parts if found is not None}
        named = {t.name: t for e in d.derivation.equations for t in definitions([e.result])}
        named |= {t.name: t for t in d.traced.definitions}
        named |= {e.tensor.name: e.tensor for e in d.derivation.equations if e.tensor is not None}
        self.found = {written(name): tensor for name, tensor in named.items()}
        self.axes = dict(enumerate(tensor.axes for tensor in d.traced.definitions)) if self.by_indices else {}
        if any(carried(t)[0] for t in d.traced.definitions):
            self.recur()
        heads = [entry_of(part) for chain in waiting for part in sides(chain.target)]
        self.stacked = {name for name, _, computed in heads if computed and name in self.values.tensors | self.found}
        self.stacked -= self.values.begins.keys()
        while waiting:
            ranks = dict.fromkeys(self.values.numbers, -1) | self.values.ranks()
            ranks |= {name: len(self.found[name].axes) for name in self.stacked if name in self.found}
            for chain in waiting:
                for part in chain.target.split(" = "):
                    named = target(part)
                    if named is not None and ranks.get(named[0], -1) < 0 and (named[1] or self.by_indices):
                        ranks[named[0]] = len(named[1])
            left = [chain for chain in waiting if not self.settled(chain, ranks)]
            if len(left) == len(waiting):
                raise Unread("these cannot be read: " + "; ".join(self.problems[chain.target] for chain in left))
            waiting = left

    def recur(self):
        """A recurrence defines names by one another: the oracle says what they are, every equation is held against it.

        A state is read one step before the first, an adjoint beyond the last step is 0, whatever stands beside it.
        """
        self.axes = {}
        for name, tensor in self.found.items():
            if name not in self.values.arrays and tensor.body is not None:
                self.values.arrays[name] = np.asarray(evaluate(tensor.body, self.point, tensor.axes), dtype=float)
        for tensor in self.d.traced.definitions:
            state, steps = carried(tensor)
            along = place_of_steps(tensor) if state is not None else 0
            if state is not None and written(tensor.name) in self.values.arrays:
                self.values.counts.add(self.values.arrays[written(tensor.name)].shape[along])
            if state is not None and written(tensor.name) not in self.defined:
                whole = np.moveaxis(self.values.arrays[written(tensor.name)], along, 0)
                over = tensor.axes[along]
                back = any(index == over + 1 for e in tensor.body.atoms(PaddedEntry) for index in e.indices)
                place, start = (len(whole) - 1 + steps, whole[-1]) if back else (-steps, whole[0])
                self.values.begins.setdefault(written(state.name), {})[along, place] = start
                self.values.counts.add(len(whole))
                if self.lowers and not self.by_indices:
                    self.values.steps[letter_of(over.name)] = len(whole)
                    self.values.outer.add(over.size)

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
            letters = [a for a in free(head) if a not in self.values.numbers or a in self.values.lengths]
            stacked = [part for part in sides(chain.target) if entry_of(part)[0] in self.stacked]
            if stacked:
                letters = [a for a in dict.fromkeys(_letters(Reader(entry_of(stacked[-1])[1], ranks).named()))
                           if a not in self.values.numbers]  # fmt: skip
                sizes = [self.values.length(letter, rows[-1]) for letter in letters]
            else:
                sizes = self.sizes(head, self.order.index(chain))
            sizes = sizes if sizes is not None and len(sizes) == len(letters) else None
            found = [self.values.over(row, letters, sizes) for row in rows]
            for part in stacked[:1]:
                self.stack(chain, part, ranks, letters, sizes, found[-1])
            for part in head if not stacked else ():
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
        if head[0][0] == "derivative" and not stacked:
            name = target(head[0][2].removeprefix(r"\partial"))
            self.results.append((self.order.index(chain), name[0] if name else head[0][2], found[-1]))
        return True

    def stack(self, chain, part, ranks, letters, sizes, value):
        """One part of an array that is told part by part; the array is known with the last of them."""
        name, source, _ = entry_of(part)
        is_result = "partial" in part
        tensor = self.values.tensors.get(name) or self.found[name]
        shape = [extent(axis, self.point.sizes) for axis in tensor.axes]
        whole = self.pieces.setdefault((name, is_result), np.full(shape, np.nan))
        indices = [self.values.over(index, letters, sizes) for index in Reader(source, ranks).named()[2]]
        whole[tuple((np.rint(index) - self.values.origin).astype(int) for index in indices)] = value
        if np.isnan(whole).any():
            return
        if is_result:
            self.results.append((self.order.index(chain), name, whole))
        elif name in self.values.arrays:
            agree(whole, self.values.arrays[name], chain)
        else:
            self.values.arrays[name] = whole


def entry_of(part):
    """The entry of which a side of an equation tells: its name, its source, whether an index is computed."""
    if "partial" in part:
        part = part[part.rindex(r"\partial") + len(r"\partial") :].strip().removesuffix("}")
    try:
        return Reader(part, {}).marked(), part, target(part) is None and "+" in part
    except Unread:
        return "", part, False


def carried(tensor):
    """The state that a definition reads, and how many steps before; one that is only another's name is that other."""
    found = [e.tensor for e in tensor.body.atoms(PaddedEntry) if isinstance(e.tensor, Carried)]
    if not found or not tensor.name.endswith("_before"):
        return None, 0
    state = found[0].target
    other = state.body.tensor if type(state.body) is Entry and state.body.indices == state.axes else state
    if other.role != "let" or other.axes != state.axes:
        return state, 1
    further, steps = carried(other)  # what was before the step before
    return (other, 1) if further is None else (further, steps + 1)


def place_of_steps(tensor):
    """Which axis a recurrence runs along: in one within another it is not the first."""
    (read,) = [e for e in tensor.body.atoms(PaddedEntry) if isinstance(e.tensor, Carried)]
    (place,) = [k for k, (index, axis) in enumerate(zip(read.indices, tensor.axes, strict=True)) if index != axis]
    return place


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

    def lookup(self, name, places=()):
        values = self.values
        for known in (name, small(name)):
            if known in self.blocks and not places:
                return self.blocks[known]
            if known in values.arrays:
                array = np.asarray(values.arrays[known], dtype=float)
                array = self.part(known, array, places) if places else array
                return block(array) if array.ndim < 3 else None
            if known in self.defined and not (values.begins and small(name) in values.arrays):
                return None
            plain_name = re.sub(r"\^\((.*)\)", r"_\1", known)
            if plain_name in values.numbers and not places:
                return float(values.numbers[plain_name])
        return None

    def part(self, name, array, places):
        """X_t of x: the part of an array at what stands below its matrix."""
        outer = self.outer_places(name)
        if len(outer) != len(places):
            raise Unread(f"{name} has {len(outer)} letters below, given {places}")
        begins = self.values.begins.get(name) or self.values.begins.get(small(name)) or {}
        for (along, first), start in begins.items():
            if along in outer and places[outer.index(along)] == first:
                rest = [k - (k > along) for k in outer if k != along]
                left = tuple(p for k, p in zip(outer, places, strict=True) if k != along)
                return np.moveaxis(start, rest, range(len(rest)))[left]
        beyond = [k for place, k in zip(places, outer, strict=True) if not 0 <= place < array.shape[k]]
        if not all(array.shape[k] in self.values.counts for k in beyond):
            raise Unread(f"{name} at {places} lies beside its edges")
        if beyond:
            return np.full([n for k, n in enumerate(array.shape) if k not in outer], self.values.beyond(name))
        return np.moveaxis(array, outer, range(len(outer)))[tuple(places)]

    def outer_places(self, name):
        tensor = self.tensor(name)
        return [k for k, axis in enumerate(tensor.axes) if axis.size in self.values.outer] if tensor else []

    def tensor(self, name):
        """The tensor that a printed name is for; an adjoint has its variable's axes."""
        accented = re.fullmatch(r"\\(?:bar|overline)\{(.*?)\}(.*)", name)
        if accented is not None and name not in self.found:
            return self.tensor(accented[1] + accented[2])
        for known in (name, small(name)):
            if known in self.values.tensors or known in self.found:
                return self.values.tensors.get(known) or self.found[known]
        return None

    def settled(self, chain, ranks):
        self.blocks = getattr(self, "blocks", {})
        parts = sides(chain.target)
        words = set(WORD.findall(re.sub(rf"{LETTER}=[^,}}]*", "", chain.target)))  # S_{t=0} is one place
        below = [a for a in self.values.steps if a in words]
        below.sort(key=chain.target.rindex)
        counts = [range(self.values.steps[a]) for a in below]
        try:
            every = [
                self.at(chain, parts, dict(zip(below, places, strict=True))) for places in itertools.product(*counts)
            ]
            found = [rows[-1] for _, rows in every]
            named = [name for name in map(self.bare, parts) if name]
            gathered = {name: self.gathered(name, found) if below else found[0] for name in named}
        except Unread as problem:
            matrix_problem = f"{chain.target} as matrices: {problem}"
            scalars = {t[0]: 0 for t in map(target, parts) if t is not None and not t[1] and t[0] not in ranks}
            if super().settled(chain, ranks | scalars | self.values.ranks()):
                return True
            self.problems[chain.target] = f"{matrix_problem}; {self.problems[chain.target]}"
            return False
        self.in_matrices += 1
        for stated, rows in every:
            for row in (*stated, *rows[:-1]):
                agree_blocks(row, rows[-1], chain)
                self.compared += 1
        if "partial" in parts[0]:
            variable = self.reader(parts[0].rsplit(r"\partial", 1)[1].rstrip()[:-1]).placed()[0]
            value = self.gathered(variable, found) if below else found[0]
            self.results.append((self.order.index(chain), small(variable), value))
        for name, value in gathered.items():
            self.define(name, value, chain)
        return True

    def at(self, chain, parts, places):
        """A chain where the letters below matrices have these values: what is stated of its target, and its rows."""
        plain_parts = [part for part in parts if "partial" not in part]
        stated = [self.reader(part, places).whole()[0] for part in plain_parts if not self.bare(part)]
        if any(self.indexed(part) for part in parts):
            raise Unread(f"{chain.target} has indices")
        return stated, [self.reader(row, places).whole()[0] for row in chain.rows]

    def reader(self, source, places=None):
        first = dict.fromkeys(self.values.steps, 0)
        return MatrixReader(source, self.lookup, self.values.steps, first if places is None else places)

    def gathered(self, name, found):
        """The whole array of a tensor from its matrices."""
        tensor = self.tensor(name)
        if tensor is None:
            raise Unread(f"{name} has no known axes")
        shape, outer = [extent(axis, self.point.sizes) for axis in tensor.axes], self.outer_places(name)
        array = np.empty(shape)
        moved = np.moveaxis(array, outer, range(len(outer)))
        for place, value in zip(np.ndindex(*moved.shape[: len(outer)]), found, strict=True):
            moved[place] = over(value, moved.shape[len(outer) :])
        return array

    def define(self, name, value, chain):
        if isinstance(value, np.ndarray):
            for known in {name, small(name)}:
                self.values.arrays.setdefault(known, value)
            agree(value, self.values.arrays[name], chain)
            return
        if name not in self.blocks and np.ndim(vector := self.values.arrays.get(small(name))) == 1:
            agree(over(value, vector.shape), vector, chain)  # a column or a row: 𝟏ᵀ U is the vector too
        elif self.lookup(name) is not None:
            agree_blocks(self.lookup(name), value, chain)
        self.blocks[name] = value
        array = plain_array(value)
        if array is not None:
            for known in (name, small(name)):
                self.values.arrays.setdefault(known, array)

    def bare(self, part):
        """The name that a side of an equation is; None for anything more."""
        if "partial" in part:
            return None
        reader = self.reader(part)
        try:
            name, places = reader.placed()
        except Unread:
            return None
        if places and "=" in part:
            return None
        return None if reader.next else name

    in_matrices, by_indices = 0, False

    def indexed(self, part):
        """Whether a target has indices: x_{b i}; S_1 has none."""
        if "partial" in part:
            part = part.rsplit(r"\partial", 1)[1].rstrip("} ")
            part += "}" * (part.count("{") - part.count("}"))
            if self.lookup(self.reader(part).placed()[0]) is not None:
                return False
        found = target(part)
        if found is not None and set(found[1]) <= self.values.steps.keys():
            return False
        return found is not None and bool(found[1]) and {a.rstrip("'") for a in found[1]} <= set(self.values.lengths)


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
