"""The fused backend: NumPy's numbers from loops as text and compiled, functions to the last place, errors."""

import sys

import mpmath
import numpy as np
import pytest

from derive import (
    NameProblem,
    ShapeError,
    T,
    Unsupported,
    axes,
    catalogue,
    exp,
    formula,
    max_over,
    mean_over,
    min_over,
    prod_over,
    tanh,
    to_numpy,
)
from derive.cli import main
from tests.libraries import drawn, each, equal, numbers, standalone

pytestmark = pytest.mark.needs("numba")

b, d, n, c, y = axes("b d n c y")
TOLERANCE = {"float64": 1e-11, "float32": 2e-4}


def plain(source):
    """An emitted module whose loops run as Python: nothing is compiled."""
    lines = [line for line in source.splitlines() if not line.startswith(("import numba", "from numba"))]
    head = next(k for k, line in enumerate(lines) if line.startswith("import numpy as "))
    lines[head:head] = [
        "prange = range",
        "def njit(**options): return lambda function: function",
        "def overload(name, **options): return lambda function: function",
    ]
    return standalone("\n".join(lines).replace("@numba.njit", "@njit"))


def compare(made, module, dtype="float64", changed=lambda array: array):
    """Assert that a module gives what NumPy's code gives, and leaves its inputs alone."""
    arrays, parameters = drawn(made.traced, dtype)
    given = {name: changed(array) for name, array in arrays.items()}
    value = made.forward(**given, **parameters)[0]
    rng = np.random.default_rng(1)
    g = each(lambda v: rng.normal(size=np.shape(v)).astype(v.dtype), value) if made.gradients else None
    loss = made._module.program.scalar_loss
    expected = numbers(made, given, each(lambda v: v[()], g), parameters, loss)
    with np.errstate(all="ignore"):
        found = each(np.asarray, numbers(module, given, g, parameters, loss))
    equal(expected, found, TOLERANCE[dtype], typed=bool(made.gradients))
    for name, array in arrays.items():
        np.testing.assert_array_equal(given[name], array)


@pytest.mark.parametrize("name", catalogue)
def test_the_loops_of_every_formula(name):
    from derive.backends.numba import emit
    from derive.lower.fused import fused

    made = to_numpy(catalogue[name])
    compare(made, plain(emit(fused(made._task()))))


# Compiled


def turned(array):
    """The same entries, none next to the one before."""
    return np.repeat(np.asfortranarray(array), 2, axis=-1)[..., ::2] if array.ndim > 1 else array[::-1].copy()[::-1]


@pytest.mark.parametrize("name", ["gelu", "layer_norm"])
def test_compiled_kernels(name):
    """In both precisions; then with arrays that do not lie in order."""
    made, fused = to_numpy(catalogue[name]), to_numpy(catalogue[name], backend="numba")
    for dtype in TOLERANCE:
        compare(made, fused, dtype)
    compare(made, fused, changed=turned)


FEW = "batch_norm scaled_dot_product_attention conv2d log_softmax cross_entropy max_pool2d mlp".split()


@pytest.mark.parametrize("name", FEW)
def test_compiled_modules_in_single_precision(name):
    compare(to_numpy(catalogue[name]), standalone(to_numpy(catalogue[name], backend="numba").source), "float32")


@formula
def crossed(x: T[b, d]) -> T[b, d]:
    """Statistics of rows and of columns, a product and an extremum, of one matrix."""
    return exp(x[b, d] - max_over(d, x[b, d])) * mean_over(b, x[b, d]) + tanh(min_over(b, x[b, d])) * prod_over(
        d, x[b, d]
    )


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (33, 5), (5, 67), (200, 130)])
def test_odd_shapes(shape, modules):
    """Fewer rows than blocks, and lengths of 1; rows and columns in one formula."""
    made, fused = modules
    x = np.random.default_rng(0).normal(size=shape) * shape[1] ** -0.5
    g = np.random.default_rng(1).normal(size=shape)
    (expected, saved), (found, kept) = made.forward(x=x), fused.forward(x=x)
    equal(expected, found, 1e-12)
    equal(made.backward(g, saved), fused.backward(g, kept), 1e-12)


def test_what_is_not_finite(modules):
    """NaN spoils its row and its column, infinity what it should; neither is optimised away."""
    made, fused = modules
    x = np.random.default_rng(0).normal(size=(6, 9))
    x[1, 2], x[3, 4], x[4, 4] = np.nan, np.inf, -np.inf
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(fused.forward(x=x)[0], made.forward(x=x)[0], rtol=1e-12)


@pytest.fixture(scope="module", name="modules")
def _modules():
    return to_numpy(crossed), to_numpy(crossed, backend="numba")


def test_results_do_not_depend_on_the_number_of_threads(modules):
    import numba

    _, fused = modules
    x = np.random.default_rng(0).normal(size=(300, 40)) / 7
    many = fused.forward(x=x)[0]
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        one = fused.forward(x=x)[0]
    finally:
        numba.set_num_threads(threads)
    np.testing.assert_array_equal(many, one)


# Functions: to the last place, against numbers of 40 digits


def compiled(name):
    import numba

    from derive.backends import fused_math

    function = getattr(fused_math, name)

    @numba.njit(error_model="numpy")
    def every(x, out):
        for k in range(x.size):
            out[k] = function(x[k])

    return lambda x: (out := np.empty_like(x), every(x, out))[0]


FUNCTIONS = {  # the largest error in units in the last place; where it is looked for, in single and double precision
    "fused_exp": (1.5, mpmath.exp, (-103, 88.7), (-745, 709.7)),
    "fused_tanh": (3, mpmath.tanh, (-10, 10), (-20, 20)),
    "fused_erf": (3, mpmath.erf, (-4.2, 4.2), (-6.2, 6.2)),
    "fused_erfc": (5, mpmath.erfc, (-4.2, 10.1), (-6.2, 27)),
}
LIMITS = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e30, -1e30, 1e-40, -1e-40, 1000.0, -1000.0]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_to_the_last_place(name):
    allowed, exact, *ranges = FUNCTIONS[name]
    run, rng = compiled(name), np.random.default_rng(0)
    for dtype, (low, high) in zip((np.float32, np.float64), ranges, strict=True):
        near = 10 ** rng.uniform(-30, 0, 200) * rng.choice([-1, 1], 200)
        x = np.concatenate([rng.uniform(low, high, 1500), rng.uniform(-1, 1, 500), near]).astype(dtype)
        with mpmath.workdps(40):
            true = [exact(mpmath.mpf(float(value))) for value in x]
            rounded = np.array([float(value) for value in true]).astype(dtype)
            errors = [
                abs(mpmath.mpf(float(given)) - value) / mpmath.mpf(float(np.spacing(abs(one))))
                for given, value, one in zip(run(x), true, rounded, strict=True)
            ]
        assert max(errors) <= allowed, (dtype, x[np.argmax(errors)])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_at_their_limits(name):
    run = compiled(name)
    known = {"fused_exp": np.exp, "fused_tanh": np.tanh}.get(name)
    for dtype in (np.float32, np.float64):
        x = np.array(LIMITS, dtype)
        with np.errstate(all="ignore"):
            expected = known(x) if known else np.array([FUNCTIONS[name][1](float(v)) for v in x], float).astype(dtype)
        found = run(x)
        np.testing.assert_allclose(found, expected, rtol=4 * np.finfo(dtype).eps, atol=0)
        numbers_ = ~np.isnan(x)
        assert (np.signbit(found) == np.signbit(expected))[numbers_ & (x != 0) | (known is not None) & numbers_].all()


# Modules and errors


def test_the_module_stands_alone_and_is_the_same_each_time():
    source = to_numpy(catalogue["layer_norm"], backend="numba").source
    assert source == to_numpy(catalogue["layer_norm"], backend="numba").source
    imported = {line.split()[1].split(".")[0] for line in source.splitlines() if line.startswith(("import", "from"))}
    assert imported <= {"__future__", "typing", "numpy", "numba"}
    assert "fused_exp" not in source, "what is not used is not brought along"
    assert max(map(len, source.splitlines())) <= 120


def test_one_loop_for_each_direction():
    source = to_numpy(catalogue["layer_norm"], backend="numba").source
    assert source.count("@njit(**OPTIONS)") == 2
    source = to_numpy(catalogue["dense"], backend="numba").source
    assert "njit" not in source, "products alone are NumPy's"


def test_names_of_inputs_and_of_loops_do_not_meet():
    @formula
    def named(np: T[b, d], block: T[d], real: T[b]) -> T[b, d]:
        """Names that loops use for themselves."""
        return exp(np[b, d] * block[d]) + tanh(real[b] * np[b, d])

    compare(to_numpy(named), plain(to_numpy(named, backend="numba").source))


def test_wrong_inputs_are_named(modules):
    _, fused = modules
    with pytest.raises(ShapeError, match=r"crossed: input x: expected shape \(B, D\), given \(3,\)"):
        fused.forward(x=np.ones(3))
    softmax = to_numpy(catalogue["layer_norm"], backend="numba")
    with pytest.raises(ShapeError, match="input gamma"):
        softmax.check(x=np.ones((2, 3)), gamma=np.ones(4), beta=np.ones(3))
    with pytest.raises(NameProblem, match="expected 'numpy' or 'numba', given 'nunba'; did you mean 'numba'"):
        to_numpy(crossed, backend="nunba")
    with pytest.raises(Unsupported, match="loops of numba are not counted"):
        _ = fused.cost


def test_without_numba(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "numba", None)
    for name in ("derive.backends.numba", "derive.backends.fused_math"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ModuleNotFoundError, match="pip install numba"):
        to_numpy(crossed, backend="numba")
    assert main(["code", "softmax", "--backend", "numba"]) == 3
    assert "install it with `pip install numba`" in capsys.readouterr().err


def test_the_command_line(capsys):
    assert main(["code", "softmax", "--backend", "numba"]) == 0
    assert "for block in prange(blocks):" in capsys.readouterr().out
    assert main(["code", "softmax", "--backend", "nunba"]) == 2
    assert main(["code", "softmax", "--backend", "numba", "--array-api"]) == 2
