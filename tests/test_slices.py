"""Arrays packed of several: where a slice ends, and what the gradient says of each."""

import pytest

from derive import T, axes, axis, formula, gradient, let, padded, sum_over, to_numpy

d, u = axes("d u")
three = axis("three", 3 * d.size)
halves = axis("halves", 2 * d.size)


@formula
def packed_attention_scores(q: T[u, three]) -> T[u, d]:
    """Queries, keys and values are slices of one array."""
    v = u.alias("v")
    S = let("S", sum_over(d, q[u, d] * q[v, d + d.size]))
    return sum_over(v, S[u, v] * q[v, d + 2 * d.size])


@formula
def rotated_halves(x: T[u, halves], c: T[u, d], s: T[u, d]) -> T[u, halves]:
    """Rotary embedding: pairs lie half an array apart."""
    low = let("low", x[u, d] * c[u, d] - x[u, d + d.size] * s[u, d])
    high = let("high", x[u, d + d.size] * c[u, d] + x[u, d] * s[u, d])
    return padded(low)[u, halves] + padded(high)[u, halves - d.size]


@pytest.mark.parametrize("each", [packed_attention_scores, rotated_halves], ids=lambda f: f.name)
def test_a_slice_ends_where_its_letter_does(each):
    """Beyond it the array goes on: a tilde on the array would not be 0 there."""
    assert gradient(each).verify(trials=4)
    assert to_numpy(each).verify(trials=2)


def test_slices_have_their_gradients_block_by_block():
    text = gradient(packed_attention_scores).explain()
    for block in ("∂L/∂q[u, d + D] = Σ_v q_vd S̄_vu", "∂L/∂q[u, d + 2 D] = Σ_v S_vu g_vd"):
        assert block in text
    text = gradient(rotated_halves).explain("brief")
    assert "[d" not in text.split("Result\n")[1].replace("[u, d + D]", ""), "no condition is left"
