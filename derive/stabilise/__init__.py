"""Laws that make numerics safe: identities between index expressions, so that the oracle can check each of them.

They are applied to definitions before they are differentiated (those of EARLY), and to definitions and results before
code is written. The exact value never changes; what changes is that no exponential can overflow, no logarithm is taken
of what has underflowed, and no difference cancels that need not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sympy.core.basic import Basic

from derive.rewrite import Law
from derive.terms import Head, Poly, Power, Reader

from . import apart, conditions, edges, exponentials, logarithms, moments, others, remainders, shifts, tails
from . import differences as d
from .assumed import intervals
from .form import Stabiliser


def _law(name: str, traits: str, words: str, change: Callable[[Stabiliser, Poly], Poly]) -> Law:
    """A law of polys that have one of these traits, or of any."""
    some = frozenset(traits.split())

    def apply(s: Stabiliser, poly: Poly) -> tuple[Poly, tuple[()]] | None:
        return None if some and some.isdisjoint(s.traits(poly)) else (change(s, poly), ())

    return Law(name, words, apply)


def _difference(
    name: str, traits: str, words: str, wanted: Callable[[Stabiliser, Head, Power], bool], look: d.Look
) -> Law:
    """A law of two terms."""
    return _law(name, traits, words, lambda s, poly: d.paired(s, poly, wanted, look) if len(poly) > 1 else poly)


LAWS: tuple[Law, ...] = (
    _law("value of what is held", "stop_gradient", "sg(u) = u, once derivatives are taken", edges.value_of_held),
    _law("open an exponential", "exp", "a name for an exponential is written out", exponentials.open_exponential),
    # functions that never overflow, for what exponentials spell
    _law("tanh of a quotient", "exp", "(eᵘ − eᵛ)/(eᵘ + eᵛ) = tanh((u − v)/2)", exponentials.tanh_of_quotient),
    _law("log cosh", "log", "log(eᵘ + e⁻ᵘ) = log 2 + log cosh(u)", exponentials.log_cosh),
    _law("softplus", "log", "log(1 + eᵘ) as one function, which never overflows", exponentials.softplus),
    _law("sigmoid", "exp", "eᵘ/(eᵘ + eᵛ) = σ(u − v), a function that never overflows", exponentials.sigmoid),
    _law("over cosh", "cosh", "eᵘ/cosh u = 2σ(2u), a function that never overflows", exponentials.over_cosh),
    _difference("tanh of a sigmoid", "sigmoid exp", "2σ(u) − 1 = tanh(u/2)", d.is_sigmoid,
                d.tanh_of_sigmoid),
    _difference("two sigmoids", "sigmoid", "σ(u) − σ(−u) = tanh(u/2)", d.is_call("sigmoid"), d.less_other_sigmoid),
    _difference("the other sigmoid", "sigmoid exp", "1 − σ(u) = σ(−u)", d.is_sigmoid, d.other_sigmoid),
    _difference("softplus, both ways", "softplus", "softplus(u) − softplus(−u) = u", d.is_call("softplus"),
                d.less_softplus),
    _law("log of a product", "log", "the logarithm of a product is the sum of the logarithms", exponentials.split_log),
    _law("log of cases", "log", "log where(c, a, b) = where(c, log a, log b)", edges.log_of_cases),
    _law("log of an entry", "log", "log Σ_c [c = y] f = Σ_c [c = y] log f: one entry is chosen",
         logarithms.log_of_entry),
    _law("power of an entry", "pow", "(Σ_c [c = y] f)ᵛ = Σ_c [c = y] fᵛ, f > 0: one entry is chosen",
         logarithms.power_of_entry),
    _law("log through a definition", "log", "log(1 − p) = u where p = 1 − eᵘ", logarithms.log_through_a_definition),
    _law("log of a power", "pow", "log aᵛ = v log a, a > 0", logarithms.log_of_power),
    _law("power by an exponential", "pow", "aᵛ = exp(v log a), a > 0", logarithms.power_by_exponential),
    _law("root of a power", "root", "(uⁿ)ᵖ = uⁿᵖ, u > 0", logarithms.root_of_power),
    _law("log of a difference", "log", "log(eᵘ − eᵛ) = u + log(1 − eᵛ⁻ᵘ)", logarithms.log_of_difference),
    _law("log of tanh", "tanh", "log(1 ± tanh u) = log 2 − softplus(∓2u)", logarithms.log_of_tanh),
    _law("log between sigmoids", "log", "log(σ(u) − σ(v)) = log σ(u) + log σ(−v) + log(1 − eᵛ⁻ᵘ)",
         logarithms.log_between_sigmoids),
    _law("log of a root", "root", "log(u + √(u² + 1)) = asinh(u)", logarithms.log_of_root),
    _law("softplus and its argument", "softplus", "softplus(u) − u = softplus(−u)", logarithms.without_argument),
    _law("log of the others", "log", "log(1 − a/Σ) = log(Σ − a) − log Σ, where a is a term, and more than half",
         others.log_of_others),
    _law("power of a product", "prod", "(Π f)ᵖ = exp(p Σ log f)", edges.power_of_product),
    _difference("centre", "", "E[f g] − E[f] E[g] = E[(f − E f)(g − E g)]", moments.is_sum, moments.centred),
    # where a value exists, though numbers have none
    _law("the other shares", "exp", "1 − p, p near 1, is the sum of the other shares", others.others_of_softmax),
    _law("norm at zero", "root", "x/‖x‖, as a derivative, is 0 where x is", edges.norm_at_zero),
    _law("compare exponents", "exp", "[eᵘ > k] = [u > log k]", conditions.compared_exponents),
    _law("divisor beside itself", "exp", "S p = eᶻ where p = eᶻ/S", shifts.divisor_beside_itself),
    _law("shift a factor", "exp", "eʷ Sᵖ = exp(w + p m) (S exp(−m))ᵖ, S a sum of exponentials, m the largest",
         shifts.shift_factor),
    _law("beside an exponential", "exp", "eᶻ stands beside what keeps it finite", edges.beside_exponential),
    _law("beside a sigmoid", "exp", "eᵃ σ(u) = exp(a − softplus(−u))", edges.beside_sigmoid),
    _law("product with its logarithm", "log", "x log x is 0 where x is", edges.product_with_log),
    _difference("log of a mean of two", "log softplus logcosh",
                "log(eᵘ + eᵛ) − log 2 = max(u, v) + log1p(expm1(−|u − v|)/2)", d.is_call("log", "softplus", "logcosh"),
                logarithms.less_log_two),
    # sums of exponentials, beside their largest
    _law("logarithm of two exponentials", "log", "log(eᵘ + eᵛ) = max(u, v) + log1p(exp(−|u − v|))",
         exponentials.log_of_two),
    _law("shift log-sum-exp", "log", "log Σ exp(z) = m + log Σ exp(z − m) for any m; m is the largest z",
         shifts.shift_log),
    _law("shift sum of exponentials", "exp sigmoid", "both sides of a ratio lose the factor exp(m)",
         shifts.shift_power),
    _law("beside its largest", "max", "z − m first, where other exponents stand beside", shifts.beside_largest),
    _law("exponent beside its largest", "max", "eᶻ e⁻ᵐ as exp((z − m)), where other exponentials stand beside",
         shifts.exponent_beside_largest),
    _law("mean beside its largest", "exp", "E z − z = E(z − m) − (z − m), E by eᶻ/Σeᶻ, m the largest z",
         moments.mean_beside_largest),
    # differences that cancel
    _law("between errors", "erf", "erf u − erf v = exp(−v²)(E(v) − exp(v² − u²) E(u)), E(u) = exp(u²) erfc(u)",
         tails.between_errors),
    _law("near zero", "", "terms of Taylor series that cancel are left out, near 0", remainders.remainder),
    _law("softplus and more", "softplus", "v + softplus(u − v) = max(u, v) + log1p(exp(−|u − v|))",
         logarithms.with_a_part),
    _difference("less the log of a number", "log", "log(c + w) − log c = log1p(w/c)", d.is_call("log"),
                d.less_log_of_number),
    _law("log1p", "log", "log(1 + u) where 1 + u would round u away", exponentials.log1p),
    _law("within a definition", "", "1 + y = eᵘ where y = eᵘ − 1", d.through_a_definition),
    _law("expm1", "exp", "eᵘ − 1 where it would cancel", exponentials.expm1),
    _difference("slope of tanh", "tanh", "1 − tanh²(u) = 4σ(2u)σ(−2u)", d.is_exact_tanh, d.slope_of_tanh),
    _difference("one and tanh", "tanh", "1 ± tanh(u) = 2σ(±2u)", d.is_exact_tanh, d.one_and_tanh),
    _law("apart", "sigmoid tanh exp", "eᵘ − eᵛ, σ(u) − σ(v), tanh u − tanh v by u − v", apart.apart),
    _difference("erfc", "erf", "1 ± erf(u) = erfc(∓u)", d.is_call("erf", "name"), d.erfc_of_erf),
    _law("tail of erfc", "erfc erf", "erfc(u) = exp(−u²) S(u⁻²)/(√π u) for large u", tails.tail_of_erfc),
    _law("log of erfc", "erfc erf", "log erfc(u) = −u² + log S(u⁻²) − log(√π u) for large u", tails.log_of_erfc),
    _law("log of softplus", "softplus", "log softplus(u) = u for u < −40", tails.log_of_softplus),
    _law("tail of softplus", "softplus", "softplus(u) = eᵘ for u < −40", tails.tail_of_softplus),
    _law("over a difference", "exp", "1/(eᵘ − 1) by exp(−|u|), which never overflows", tails.over_difference),
    _law("squashed", "exp", "exp(−k eᵘ) = exp(−k exp(min(u, 80))): 0 before eᵘ overflows; tanh(k eᵘ) = 1 before it",
         tails.squashed),
    _difference("versine", "cos", "1 − cos(u) = 2 sin²(u/2)", d.is_call("cos"), d.versine),
    _difference("versine of the hyperbola", "cosh", "cosh(u) − 1 = 2 sinh²(u/2)", d.is_call("cosh"), d.one_and_cosh),
    _difference("power and one", "pow", "aᵛ − 1 = expm1(v log a), a > 0", d.is_call("pow"), d.one_less_general_power),
    _difference("difference of roots", "root", "√(c² + w) − c = w/(√(c² + w) + c)", d.is_root, d.root_less_root),
    _difference("root and more", "root", "√(u² + w) + u = w/(√(u² + w) − u) for u < 0", d.is_root, d.root_and_more),
    _difference("complement of a share", "", "1 − a/d = (d − a)/d, a a term of d", d.is_below, d.one_less_share),
    _difference("complement of a power", "", "1 − bⁿ = (1 − b)(1 + b + … + bⁿ⁻¹), b = 1 − a", d.is_sum_of_one,
                d.one_less_power),
    _difference("complement of a quotient", "", "1 − a/d = (d − a)/d", d.is_call("name"), d.one_less_quotient),
    _difference("complement of a product", "prod", "1 − Π f = −expm1(Σ log f)", d.is_call("prod"), d.one_less_product),
    _law("within functions", "", "the same laws inside an argument", Stabiliser.inside),
)  # fmt: skip
# Their derivatives are safer, or as safe and shorter, than the derivative of what the author wrote.
EARLY = frozenset({"tanh of a quotient", "log cosh", "softplus", "sigmoid", "tanh of a sigmoid", "over cosh",
                   "two sigmoids", "the other sigmoid", "softplus, both ways", "log of a product", "log of cases",
                   "power of a product", "log of an entry", "log of a power", "power by an exponential",
                   "log of a difference", "log of tanh", "log between sigmoids", "log of a root",
                   "softplus and its argument", "log through a definition", "log of the others",
                   "power of an entry", "centre", "within functions"})  # fmt: skip


def drawn_out(s: Stabiliser, head: Head, poly: Poly) -> bool:
    """Whether common factors may be written before a bracket: never exp(−m) of a shifted sum, nor what is masked."""
    return head.id not in s.scaled and not edges.is_masked(s, poly) and not edges.is_shifted(s, poly)


def stabiliser(reader: Reader, statements: Iterable[Basic] = (), *, early: bool = False, exact: bool = False,
               divided: frozenset[int] = frozenset()) -> Stabiliser:  # fmt: skip
    """A stabiliser with all laws, under what is assumed; with those of EARLY, for before differentiation."""
    laws = tuple(law for law in LAWS if law.name in EARLY) if early else LAWS
    return Stabiliser(reader, laws, early, intervals(reader, statements), exact, divided)


__all__ = ["EARLY", "LAWS", "Stabiliser", "drawn_out", "stabiliser"]
