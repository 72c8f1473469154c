"""Functions that numpy does not have, or has only slowly, made of ufuncs."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, List, Optional, Tuple

import numpy
from numpy.polynomial.chebyshev import cheb2poly

#: Chebyshev coefficients of Q(u) exp(u^2 / 2) in s = (4 - 17 u / 9) / (4 + u), which goes from 1 to -1 while u goes from 0 to 9; the way of
#: Shepherd & Laframboise 1981, https://doi.org/10.1090/S0025-5718-1981-0595058-X. What they leave out is below 3e-19.
TAIL = (
    0.215216456716691219, 0.2178840305934011223, 0.05545104867108782845, 0.01014552352608572171, 0.001235963185191980348,
    7.196515194924913863e-5, -4.082796876656366329e-6, -9.246035646245049987e-7, 8.734925618585068295e-9, 1.104425395633634967e-8,
    -8.034899716616394129e-11, -1.496296138779713023e-10, 4.938080117678471845e-12, 2.094967197513782933e-12,
    -1.80353742558556498e-13, -2.424674672678641148e-14, 4.768837571012746736e-15, 6.568453648341471064e-17,
    -9.354697235581337678e-17, 7.461736922728921303e-18, 1.075241710610561904e-18,
)  # fmt: skip
#: so many are enough for float32: the rest is below 2e-8, a third of its last place
SHORT = 8

#: W. J. Cody, Rational Chebyshev approximations for the error function, Math. Comp. 23 (1969): numerators and denominators, from the
#: highest power down; relative errors below 6e-19 on each of the three ranges
NEAR = (
    (1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3),
)
MIDDLE = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1, 2.98635138197400131e2,
     8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3, 3.29079923573345963e3,
     4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3),
)  # fmt: skip
FAR = (
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1, 1.60837851487422766e-2,
     6.58749161529837803e-4),
    (1.0, 2.56852019228982242e0, 1.87295284992346725e0, 5.27905102951428412e-1, 6.05183413124413191e-2, 2.33520497626869185e-3),
)  # fmt: skip
#: where one range ends and the next begins, and where erf is 1 to the last bit
ENDS = (0.46875, 4.0, 6.0)


def normal_tail(u: Any) -> Tuple[Any, Any]:
    """Of the normal distribution, for u >= 0: the tail Q(u) = erfc(u / sqrt(2)) / 2, and the density exp(-u^2 / 2) / sqrt(2 pi)."""
    s = u * (-17 / 9)
    s += 4
    s /= u + 4
    highest, *others, last = polynomial(u.dtype)
    tail = s * highest
    for coefficient in others:
        tail += coefficient
        tail *= s
    tail += last
    density = u * u
    density *= -0.5
    numpy.exp(density, density)
    tail *= density
    density *= 1 / math.sqrt(2 * math.pi)
    return tail, density


@lru_cache(maxsize=None)
def polynomial(dtype: Any) -> List[Any]:
    """The series as a polynomial, highest power first: as many terms as the dtype can tell apart from none."""
    return [numpy.array(number, dtype) for number in cheb2poly(TAIL[:SHORT] if dtype == numpy.float32 else TAIL)[::-1]]


def magnitude(x: Any) -> Any:
    """|x|; for complex numbers x or -x, whichever has a positive real part."""
    return numpy.where(x.real < 0, -x, x) if x.dtype.kind == "c" else numpy.absolute(x)


def positive_part(x: Any) -> Any:
    """max(x, 0) as (x + |x|) / 2, without rounding: numpy.maximum is slow where one of both is a single number."""
    y = magnitude(x)
    y += x
    y *= 0.5
    return y


def sigmoid(x: Any, out: Optional[Any] = None) -> Any:
    """1 / (1 + exp(-x)), in one array: `out`, which may be x itself, or a new one."""
    y = numpy.negative(x, out)
    numpy.exp(y, y)
    y += 1
    return numpy.reciprocal(y, y)


def expm1(x: Any) -> Any:
    """exp(x) - 1 for x <= 0, as 2 t / (1 - t), t = tanh(x / 2): numpy has a fast tanh everywhere, but a fast expm1 only on AVX512."""
    t = numpy.tanh(x * 0.5)
    return (t + t) / (1 - t)


def erf(x: Any) -> Any:
    """2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x, elementwise; of complex numbers near the real axis too."""
    sign = numpy.where(x.real < 0, x.dtype.type(-1), x.dtype.type(1))
    size = x * sign
    found = numpy.ones_like(x)
    near, middle = size.real <= ENDS[0], (size.real > ENDS[0]) & (size.real <= ENDS[1])
    far = (size.real > ENDS[1]) & (size.real < ENDS[2])
    for where, function in ((near, near_zero), (middle, in_the_middle), (far, far_out)):
        if where.any():
            found[where] = function(size[where])
    return found * sign


def near_zero(x: Any) -> Any:
    """x times a quotient of polynomials of x^2."""
    return x * quotient(NEAR, x * x)


def in_the_middle(x: Any) -> Any:
    """1 - exp(-x^2) times a quotient of polynomials of x."""
    return x.dtype.type(1) - numpy.exp(-x * x) * quotient(MIDDLE, x)


def far_out(x: Any) -> Any:
    """1 - exp(-x^2) / x (1 / sqrt(pi) - u times a quotient of polynomials of u), u = 1 / x^2."""
    u, number = numpy.reciprocal(x * x), x.dtype.type
    return number(1) - numpy.exp(-x * x) / x * (number(1 / math.sqrt(math.pi)) - u * quotient(FAR, u))


def quotient(both: Any, x: Any) -> Any:
    """The quotient of two polynomials, by Horner's rule."""
    return horner(both[0], x) / horner(both[1], x)


def horner(coefficients: Any, x: Any) -> Any:
    """A polynomial from its coefficients, the highest power first."""
    number = x.dtype.type
    found = numpy.full_like(x, number(coefficients[0]))
    for coefficient in coefficients[1:]:
        found *= x
        found += number(coefficient)
    return found
