"""How each operation is written in Python: a table of templates with precedences."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """How an operation is written: a template over its operands, and how tightly it and they bind."""

    template: str
    binds: int = 100
    needs: tuple[int, ...] = (0,)  # least precedence of each operand, the last one for all that follow
    wide: str = ""  # where an operand is more than a name or a number


CHOICE, OR, AND, COMPARE, BAR, AMPERSAND, SUM, MATMUL, PRODUCT, SIGN, POWER, ATOM = range(1, 13)

OPERATIONS: dict[str, Row] = {
    "add": Row("{0} + {1}", SUM, (SUM, MATMUL)),
    "subtract": Row("{0} - {1}", SUM, (SUM, MATMUL)),
    "multiply": Row("{0} * {1}", PRODUCT, (PRODUCT, SIGN)),
    "divide": Row("{0} / {1}", PRODUCT, (PRODUCT, SIGN)),
    "plus": Row("{0} + {1}", SUM, (SUM, MATMUL)),  # of integers: never in place
    "minus": Row("{0} - {1}", SUM, (SUM, MATMUL)),
    "times": Row("{0} * {1}", PRODUCT, (PRODUCT, SIGN)),
    "mod": Row("{0} % {1}", PRODUCT, (PRODUCT, SIGN)),
    "floor_divide": Row("{0} // {1}", PRODUCT, (PRODUCT, SIGN)),
    # `@` binds like `*` in Python: beside another product it always stands in parentheses
    "matmul": Row("{0} @ {1}", MATMUL, (SIGN, SIGN)),
    "negative": Row("-{0}", SIGN, (ATOM,)),
    "power": Row("{0}**{1}", POWER, (ATOM, SIGN), "{0} ** {1}"),
    "greater": Row("{0} > {1}", COMPARE, (BAR,)),
    "greater_equal": Row("{0} >= {1}", COMPARE, (BAR,)),
    "less": Row("{0} < {1}", COMPARE, (BAR,)),
    "less_equal": Row("{0} <= {1}", COMPARE, (BAR,)),
    "equal": Row("{0} == {1}", COMPARE, (BAR,)),
    "not_equal": Row("{0} != {1}", COMPARE, (BAR,)),
    "logical_and": Row("{0} & {1}", AMPERSAND, (AMPERSAND, SUM)),
    "logical_or": Row("{0} | {1}", BAR, (BAR, AMPERSAND)),
    "logical_not": Row("~{0}", SIGN, (SIGN,)),
    "choice": Row("{1} if {0} else {2}", CHOICE, (OR,)),
    "T": Row("{0}.T", ATOM, (ATOM,)),
    "mT": Row("{0}.mT", ATOM, (ATOM,)),
    "vecdot": Row("np.vecdot({0}, {1})"),
    "vdot": Row("np.vdot({0}, {1})"),
    "linalg.inverse": Row("np.linalg.inv({0})"),
    "linalg.solve": Row("np.linalg.solve({0}, {1})"),
    "linalg.determinant": Row("np.linalg.det({0})"),
    "linalg.cholesky": Row("np.linalg.cholesky({0})"),
    "linalg.eigenvalues": Row("np.linalg.eigvalsh({0})"),
    "linalg.singular_values": Row("np.linalg.svdvals({0})"),
    "no_entries": Row("[]"),
    "with_entry": Row("[*{0}, {1}]"),
    "stacked": Row("np.stack({0})"),
    "stacked_back": Row("np.stack({0}[::-1])"),
    "further": Row("..."),
    "flag": Row("np.asarray({0})"),
    "where": Row("np.where({0}, {1}, {2})"),
    "len": Row("len({0})"),
    "float": Row("float({0})"),
    "start": Row("{0}.start", ATOM, (ATOM,)),
    "stop": Row("{0}.stop", ATOM, (ATOM,)),
    "shape": Row("{0}.shape", ATOM, (ATOM,)),
    "dtype": Row("{0}.dtype", ATOM, (ATOM,)),
    "float64": Row("np.dtype(np.float64)"),
    "typed": Row("dtype.type({0})"),
    "cast": Row("{0}.astype(dtype)", ATOM, (ATOM,)),
    "copy": Row("np.array({0})"),
    "copied": Row('np.array({0}, order="C")'),
    "eye": Row("np.eye({0}, dtype=dtype)"),
    "arange": Row("np.arange({0})"),
    "diagonal": Row("{0}.diagonal()", ATOM, (ATOM,)),
    "all": Row("{0}[...]", ATOM, (ATOM,)),
    "template": Row("({0}.shape, {0}.dtype)"),
    "broadcast_to": Row("np.broadcast_to({0}, {1})"),
    "widened": Row("{0}.astype(np.intp)", ATOM, (ATOM,)),
    "none": Row("None"),
    "empty_": Row(""),
}
OWN = {
    f"special.{name}": name for name in ("erfc", "bounded_exp", "opposed", "log_above")
}  # functions that the emitted module brings along
METHODS = {"max": "max", "min": "min", "sum": "sum", "prod": "prod"}
OPERATOR = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}
UNARY = frozenset(
    "exp log sqrt sin cos tan sinh cosh tanh arcsin arccos arctan arcsinh arccosh arctanh absolute sign floor ceil "
    "log1p expm1 log2 log10 exp2 maximum minimum arctan2 hypot".split()
)
HOST = {"absolute": "abs", "maximum": "max", "minimum": "min", "arcsin": "math.asin", "arccos": "math.acos"} | {
    "arctan": "math.atan", "arcsinh": "math.asinh", "arccosh": "math.acosh", "arctanh": "math.atanh",
    "arctan2": "math.atan2", "special.erf": "math.erf", "special.erfc": "math.erfc", "special.gamma": "math.gamma",
    "special.gammaln": "math.lgamma",
}  # fmt: skip
