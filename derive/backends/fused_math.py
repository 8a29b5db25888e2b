"""Vectorising exp, tanh and erf: what modules of the numba backend bring along as text, and callables use as it stands.

Each is polynomials, products and the bits of numbers, so that a compiler makes one loop of it; libraries' functions
are calls, one for each entry. Reassociation stays off here: what follows lives on the order of operations. Without
compilation, the `fused_` functions are the libraries'.
"""

# mypy: ignore-errors

from __future__ import annotations

import math

import numba
import numpy as np
from numba.extending import overload

STRICT = {"error_model": "numpy", "fastmath": {"contract"}, "forceinline": True}


def fused_exp(x):
    """eˣ, within 2 units in the last place; it overflows and underflows as it should."""
    return np.exp(x)


def fused_tanh(x):
    """tanh x, within 3 units in the last place."""
    return np.tanh(x)


def fused_erf(x):
    """erf x, within 3 units in the last place."""
    return type(x)(math.erf(x))


def fused_erfc(x):
    """erfc x, within 5 units in the last place, and so in its tail."""
    return type(x)(math.erfc(x))


@numba.njit(**STRICT)
def parts_single(x):
    """x = n log 2 + r: (2ⁿ as two factors, r, (eʳ − 1 − r)/r²). W. J. Cody and W. Waite (1980)."""
    real = np.float32
    shift = real(12582912.0)  # 1.5 · 2²³: adding it rounds to an integer, which the last bits then are
    n = x * real(1.44269504) + shift - shift
    r = x - n * real(0.693359375) - n * real(-2.12194440e-4)
    half = n * real(0.5) + shift - shift
    first = np.int32((np.int32(half) + np.int32(127)) << np.int32(23)).view(np.float32)
    second = np.int32((np.int32(n - half) + np.int32(127)) << np.int32(23)).view(np.float32)
    p = real(0.0001984127)
    p = p * r + real(0.0013888889)
    p = p * r + real(0.008333334)
    p = p * r + real(0.041666668)
    p = p * r + real(0.16666667)
    p = p * r + real(0.5)
    return first, second, r, p


@numba.njit(**STRICT)
def parts_double(x):
    """The same in double precision."""
    real = np.float64
    shift = real(6755399441055744.0)  # 1.5 · 2⁵²
    n = x * real(1.4426950408889634) + shift - shift
    r = x - n * real(6.93147180369123816490e-01) - n * real(1.90821492927058770002e-10)
    half = n * real(0.5) + shift - shift
    first = np.int64(np.float64(half + real(1023.0) + shift).view(np.int64) << np.int64(52)).view(np.float64)
    second = np.int64(np.float64(n - half + real(1023.0) + shift).view(np.int64) << np.int64(52)).view(np.float64)
    p = real(1.6059043836821613e-10)
    p = p * r + real(2.08767569878681e-09)
    p = p * r + real(2.505210838544172e-08)
    p = p * r + real(2.755731922398589e-07)
    p = p * r + real(2.7557319223985893e-06)
    p = p * r + real(2.48015873015873e-05)
    p = p * r + real(0.0001984126984126984)
    p = p * r + real(0.001388888888888889)
    p = p * r + real(0.008333333333333333)
    p = p * r + real(0.041666666666666664)
    p = p * r + real(0.16666666666666666)
    p = p * r + real(0.5)
    return first, second, r, p


def exp_single(x):
    """eˣ = 2ⁿ eʳ."""
    real = np.float32
    x = real(89.0) if x > real(89.0) else x
    x = real(-104.0) if x < real(-104.0) else x
    first, second, r, p = parts_single(x)
    return (p * (r * r) + r + real(1.0)) * first * second


def exp_double(x):
    """eˣ = 2ⁿ eʳ."""
    real = np.float64
    x = real(710.0) if x > real(710.0) else x
    x = real(-746.0) if x < real(-746.0) else x
    first, second, r, p = parts_double(x)
    return (p * (r * r) + r + real(1.0)) * first * second


def tanh_single(x):
    """tanh x = m/(m + 2), where m = e²ˣ − 1 = 2ⁿ(eʳ − 1) + (2ⁿ − 1)."""
    real = np.float32
    size = abs(x)
    size = real(10.0) if size > real(10.0) else size
    first, second, r, p = parts_single(size + size)
    power = first * second
    m = power * (p * (r * r) + r) + (power - real(1.0))
    return np.copysign(m / (m + real(2.0)), x)


def tanh_double(x):
    """tanh x = m/(m + 2), where m = e²ˣ − 1 = 2ⁿ(eʳ − 1) + (2ⁿ − 1)."""
    real = np.float64
    size = abs(x)
    size = real(22.0) if size > real(22.0) else size
    first, second, r, p = parts_double(size + size)
    power = first * second
    m = power * (p * (r * r) + r) + (power - real(1.0))
    return np.copysign(m / (m + real(2.0)), x)


@numba.njit(**STRICT)
def tail_single(x):
    """erfc x = exp(−x²) s R(s) for x ≥ 0, where s = 1/(1 + x/2): R interpolates at Chebyshev's points.

    x² and s are rounded; what is lost is known (T. J. Dekker, 1971), and is made good.
    """
    real = np.float32
    x = real(10.2) if x > real(10.2) else x
    square = x * x
    high = np.int32(np.float32(x).view(np.int32) & np.int32(-4096)).view(np.float32)
    low = x - high
    lost = (high * high - square) + real(2.0) * high * low + low * low
    d = real(1.0) + real(0.5) * x
    s = real(1.0) / d
    v = (s - real(0.5)) + s * ((real(1.0) - s * d) - s * (real(0.5) * x - (d - real(1.0))))
    p = real(0.03284752)
    p = p * v + real(-0.010092877)
    p = p * v + real(-0.07525281)
    p = p * v + real(0.05269761)
    p = p * v + real(0.09796498)
    p = p * v + real(-0.10355935)
    p = p * v + real(-0.17204499)
    p = p * v + real(0.14576508)
    p = p * v + real(0.5589435)
    p = p * v + real(0.68716073)
    p = p * v + real(0.51079136)
    p = s * p
    return fused_exp(-square) * (p - p * lost)


@numba.njit(**STRICT)
def tail_double(x):
    """The same in double precision, with s = 1/(1 + x/4)."""
    real = np.float64
    x = real(27.3) if x > real(27.3) else x
    square = x * x
    high = np.int64(np.float64(x).view(np.int64) & np.int64(-134217728)).view(np.float64)
    low = x - high
    lost = (high * high - square) + real(2.0) * high * low + low * low
    d = real(1.0) + real(0.25) * x
    s = real(1.0) / d
    v = (s - real(0.5)) + s * ((real(1.0) - s * d) - s * (real(0.25) * x - (d - real(1.0))))
    p = real(0.0009240767934820274)
    p = p * v + real(0.00037886234307307266)
    p = p * v + real(-0.003992597529270956)
    p = p * v + real(-0.00046978751271234734)
    p = p * v + real(0.008134802789779743)
    p = p * v + real(0.0025945365346338235)
    p = p * v + real(-0.013869226521451974)
    p = p * v + real(-0.01168938246519756)
    p = p * v + real(0.019229777058210377)
    p = p * v + real(0.038629669867669365)
    p = p * v + real(-0.003722604791704951)
    p = p * v + real(-0.0905283512107146)
    p = p * v + real(-0.1164934735657009)
    p = p * v + real(0.03596274349702843)
    p = p * v + real(0.39117156141792503)
    p = p * v + real(0.8438417066446738)
    p = p * v + real(1.2221042385609153)
    p = p * v + real(1.3920874979233353)
    p = p * v + real(1.3234063515119214)
    p = p * v + real(1.0817076626264421)
    p = p * v + real(0.7732087022652376)
    p = p * v + real(0.48827436454044104)
    p = p * v + real(0.27399891525012277)
    p = s * p
    return fused_exp(-square) * (p - p * lost)


def erfc_single(x):
    """erfc(−x) = 2 − erfc x. A product chooses: a branch would not vectorise."""
    real = np.float32
    below = real(x < real(0.0))
    return real(2.0) * below + (real(1.0) - real(2.0) * below) * tail_single(abs(x))


def erfc_double(x):
    """erfc(−x) = 2 − erfc x. A product chooses: a branch would not vectorise."""
    real = np.float64
    below = real(x < real(0.0))
    return real(2.0) * below + (real(1.0) - real(2.0) * below) * tail_double(abs(x))


def erf_single(x):
    """erf x = x P(x²) up to 1, then 1 − erfc x: P interpolates at Chebyshev's points."""
    real = np.float32
    size = abs(x)
    near = real(1.0) if size > real(1.0) else size
    u = near * near
    p = real(7.875875e-05)
    p = p * u + real(-0.00080168643)
    p = p * u + real(0.0051890872)
    p = p * u + real(-0.026854211)
    p = p * u + real(0.11283594)
    p = p * u + real(-0.37612626)
    p = p * u + real(1.1283791)
    inside = real(size < real(1.0))
    far = real(1.0) - tail_single(size)
    return np.copysign(inside * (near * p) + (real(1.0) - inside) * far, x)


def erf_double(x):
    """erf x = x P(x²) up to 1, then 1 − erfc x: P interpolates at Chebyshev's points."""
    real = np.float64
    size = abs(x)
    near = real(1.0) if size > real(1.0) else size
    u = near * near
    p = real(-7.795898827002142e-10)
    p = p * u + real(1.3720064546777686e-08)
    p = p * u + real(-1.6208483801871705e-07)
    p = p * u + real(1.6447424703317362e-06)
    p = p * u + real(-1.492473690741966e-05)
    p = p * u + real(0.00012055294904839707)
    p = p * u + real(-0.0008548325975389692)
    p = p * u + real(0.0052239776071164225)
    p = p * u + real(-0.02686617064323777)
    p = p * u + real(0.11283791670945006)
    p = p * u + real(-0.37612638903183543)
    p = p * u + real(1.1283791670955126)
    inside = real(size < real(1.0))
    far = real(1.0) - tail_double(size)
    return np.copysign(inside * (near * p) + (real(1.0) - inside) * far, x)


@overload(fused_exp, jit_options=STRICT)
def exp_of(x):
    """By the type of x."""
    return exp_single if x == numba.float32 else exp_double


@overload(fused_tanh, jit_options=STRICT)
def tanh_of(x):
    """By the type of x."""
    return tanh_single if x == numba.float32 else tanh_double


@overload(fused_erf, jit_options=STRICT)
def erf_of(x):
    """By the type of x."""
    return erf_single if x == numba.float32 else erf_double


@overload(fused_erfc, jit_options=STRICT)
def erfc_of(x):
    """By the type of x."""
    return erfc_single if x == numba.float32 else erfc_double
