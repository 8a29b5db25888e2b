"""Models that solve linear systems: regressions, Gaussians and their processes, filters, implicit layers.

A covariance is stated to be symmetric and positive definite by `assume`; its gradient has n² entries all the same.
"""

from derive import (
    Scalar,
    T,
    assume,
    axes,
    definite,
    exp,
    formula,
    inv,
    let,
    log,
    logdet,
    one_hot,
    pi,
    solve,
    sqrt,
    sum_over,
)

b, n, d, i, k, p = axes("b n d i k p")
m, j, e, q, l = n.alias("m"), i.alias("j"), d.alias("e"), p.alias("q"), k.alias("l")
s, t = i.alias("s"), i.alias("t")

__all__ = """
    least_squares least_squares_residual ridge_regression weighted_least_squares generalised_least_squares
    gaussian_log_likelihood mahalanobis_distance gaussian_kl gaussian_process wishart_log_density stein_loss
    inverse_wishart_log_density matrix_normal_log_density ridge_validation_loss determinantal_point_process
    kalman_step kalman_log_likelihood rts_smoother lqr_gain linear_fixed_point quadratic_minimiser
    ridge_leave_one_out
""".split()


# Regressions, solved: w = (XᵀX)⁻¹ Xᵀ y and its kin.


@formula
def least_squares(X: T[n, d], y: T[n]) -> T[d]:
    """The w of least ‖X w − y‖²: the normal equations XᵀX w = Xᵀy."""
    assume(d.size <= n.size)
    gram = let("gram", sum_over(n, X[n, d] * X[n, e]))
    moment = let("moment", sum_over(n, X[n, d] * y[n]))
    return solve(gram, moment)[d]


@formula
def least_squares_residual(X: T[n, d], y: T[n]) -> T[()]:
    """The least ‖X w − y‖², over w."""
    assume(d.size <= n.size)
    gram = let("gram", sum_over(n, X[n, d] * X[n, e]))
    moment = let("moment", sum_over(n, X[n, d] * y[n]))
    w = let("w", solve(gram, moment)[d])
    return sum_over(n, (sum_over(d, X[n, d] * w[d]) - y[n]) ** 2)


@formula
def ridge_regression(X: T[n, d], y: T[n], *, strength: Scalar = 1.0) -> T[d]:
    """The w of least ‖X w − y‖² + λ‖w‖²: (XᵀX + λ 1) w = Xᵀy.

    Source: Hoerl and Kennard, Ridge Regression (1970), eq. 2.1.
    """
    assume(strength > 0)
    gram = let("gram", sum_over(n, X[n, d] * X[n, e]) + strength * one_hot(d, e))
    moment = let("moment", sum_over(n, X[n, d] * y[n]))
    return solve(gram, moment)[d]


@formula
def weighted_least_squares(X: T[n, d], y: T[n], weight: T[n]) -> T[d]:
    """The w of least Σ a (X w − y)², for positive weights a: XᵀAX w = XᵀAy."""
    assume(d.size <= n.size)
    assume(weight[n] > 0)
    gram = let("gram", sum_over(n, weight[n] * X[n, d] * X[n, e]))
    moment = let("moment", sum_over(n, weight[n] * X[n, d] * y[n]))
    return solve(gram, moment)[d]


@formula
def generalised_least_squares(X: T[n, d], y: T[n], Sigma: T[n, m]) -> T[d]:
    """The w of least (X w − y)ᵀ Σ⁻¹ (X w − y), for errors of covariance Σ: XᵀΣ⁻¹X w = XᵀΣ⁻¹y.

    Source: Aitken, On Least Squares and Linear Combination of Observations (1935).
    """
    assume(d.size <= n.size)
    assume(definite(Sigma))
    precision = inv(Sigma)
    gram = let("gram", sum_over((n, m), X[n, d] * precision[n, m] * X[m, e]))
    moment = let("moment", sum_over((n, m), X[n, d] * precision[n, m] * y[m]))
    return solve(gram, moment)[d]


@formula
def ridge_leave_one_out(X: T[n, d], y: T[n], *, strength: Scalar = 1.0) -> T[()]:
    """Σ (r/(1 − diag H))², H = X (XᵀX + λ 1)⁻¹ Xᵀ, r = y − H y: each sample's error in the fit without it.

    Source: Allen, The Relationship between Variable Selection and Data Augmentation (1974).
    """
    assume(strength > 0)
    gram = let("gram", sum_over(n, X[n, d] * X[n, e]) + strength * one_hot(d, e))
    inverse = inv(gram)
    H = let("H", sum_over((d, e), X[n, d] * inverse[d, e] * X[m, e]))
    r = let("r", y[n] - sum_over(m, H[n, m] * y[m]))
    return sum_over(n, (r[n] / (1 - H[n, n])) ** 2)


# Gaussians.


@formula
def gaussian_log_likelihood(x: T[b, i], mu: T[i], Sigma: T[i, j]) -> T[()]:
    """Σ log N(x | μ, Σ) = −½ Σ ((x − μ)ᵀ Σ⁻¹ (x − μ) + log det Σ + I log 2π).

    Source: Magnus and Neudecker, Matrix Differential Calculus (2019), section 15.3.
    """
    assume(definite(Sigma))
    precision = inv(Sigma)
    r = let("r", x[b, i] - mu[i])
    squares = sum_over((b, i, j), r[b, i] * precision[i, j] * r[b, j])
    return -(squares + b.size * logdet(Sigma) + b.size * i.size * log(2 * pi)) / 2


@formula
def mahalanobis_distance(x: T[b, i], mu: T[i], Sigma: T[i, j]) -> T[b]:
    """√((x − μ)ᵀ Σ⁻¹ (x − μ)): a distance in units of the spread.

    Source: Mahalanobis, On the generalised distance in statistics (1936).
    """
    assume(definite(Sigma))
    precision = inv(Sigma)
    r = let("r", x[b, i] - mu[i])
    return sqrt(sum_over((i, j), r[b, i] * precision[i, j] * r[b, j]))


@formula
def gaussian_kl(mu_0: T[i], Sigma_0: T[i, j], mu_1: T[i], Sigma_1: T[i, j]) -> T[()]:
    """KL(N₀ ‖ N₁) = ½ (tr(Σ₁⁻¹Σ₀) + (μ₁ − μ₀)ᵀ Σ₁⁻¹ (μ₁ − μ₀) − I + log det Σ₁ − log det Σ₀)."""
    for Sigma in (Sigma_0, Sigma_1):
        assume(definite(Sigma))
    precision = inv(Sigma_1)
    r = let("r", mu_1[i] - mu_0[i])
    spread = sum_over((i, j), precision[i, j] * Sigma_0[j, i])
    squares = sum_over((i, j), r[i] * precision[i, j] * r[j])
    return (spread + squares - i.size + logdet(Sigma_1) - logdet(Sigma_0)) / 2


@formula
def gaussian_process(X: T[n, d], y: T[n], *, scale: Scalar = 1.0, length: Scalar = 1.0, noise: Scalar = 0.1) -> T[()]:
    """log N(y | 0, K), K = s² exp(−|x − x′|²/2ℓ²) + σ² 1: the marginal likelihood of a Gaussian process.

    Source: Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), eqs. 2.30 and 2.31.
    """
    assume(length > 0)
    assume(noise > 0)
    apart = sum_over(d, (X[n, d] - X[m, d]) ** 2)
    K = let("K", scale**2 * exp(-apart / (2 * length**2)) + noise**2 * one_hot(n, m))
    alpha = let("alpha", solve(K, y)[m])
    return -(sum_over(n, y[n] * alpha[n]) + logdet(K) + n.size * log(2 * pi)) / 2


@formula
def wishart_log_density(X: T[i, j], V: T[i, j], *, nu: Scalar = 6.0) -> T[()]:
    """½ ((ν − I − 1) log det X − tr(V⁻¹X) − ν log det V): a Wishart density's logarithm, up to terms of ν alone.

    Source: Wishart, The generalised product moment distribution (1928).
    """
    for A in (X, V):
        assume(definite(A))
    precision = inv(V)
    return ((nu - i.size - 1) * logdet(X) - sum_over((i, j), precision[i, j] * X[j, i]) - nu * logdet(V)) / 2


@formula
def inverse_wishart_log_density(X: T[i, j], Psi: T[i, j], *, nu: Scalar = 6.0) -> T[()]:
    """½ (ν log det Ψ − (ν + I + 1) log det X − tr(Ψ X⁻¹)): up to terms of ν alone.

    Source: Murphy, Machine Learning: A Probabilistic Perspective (2012), eq. 4.165.
    """
    for A in (X, Psi):
        assume(definite(A))
    inverse = inv(X)
    return (nu * logdet(Psi) - (nu + i.size + 1) * logdet(X) - sum_over((i, j), Psi[i, j] * inverse[j, i])) / 2


@formula
def matrix_normal_log_density(X: T[n, i], M: T[n, i], U: T[n, m], V: T[i, j]) -> T[()]:
    """−½ (tr(V⁻¹(X − M)ᵀU⁻¹(X − M)) + I log det U + N log det V + N I log 2π): rows vary by U, columns by V.

    Source: Gupta and Nagar, Matrix Variate Distributions (2000), section 2.2.
    """
    for A in (U, V):
        assume(definite(A))
    R, rows, columns = let("R", X[n, i] - M[n, i]), inv(U), inv(V)
    squares = sum_over((n, m, i, j), R[n, i] * rows[n, m] * R[m, j] * columns[j, i])
    return -(squares + i.size * logdet(U) + n.size * logdet(V) + n.size * i.size * log(2 * pi)) / 2


@formula
def ridge_validation_loss(X: T[n, d], y: T[n], Z: T[p, d], t: T[p], strength: T[()]) -> T[()]:
    """½ ‖Z w − t‖² for (XᵀX + λ 1) w = Xᵀy: what the strength λ is chosen by.

    Source: Bengio, Gradient-Based Optimization of Hyperparameters (2000), section 2.
    """
    assume(strength[()] > 0)
    gram = let("gram", sum_over(n, X[n, d] * X[n, e]) + strength[()] * one_hot(d, e))
    moment = let("moment", sum_over(n, X[n, d] * y[n]))
    w = let("w", solve(gram, moment)[d])
    return sum_over(p, (sum_over(d, Z[p, d] * w[d]) - t[p]) ** 2) / 2


@formula
def determinantal_point_process(L: T[n, m], S: T[i, n]) -> T[()]:
    """log det(S L Sᵀ) − log det(1 + L): the log-probability of the subset whose rows of the identity are S.

    Source: Kulesza and Taskar, Determinantal Point Processes for Machine Learning (2012), eq. 2.2.
    """
    assume(i.size <= n.size)
    assume(definite(L))
    chosen = let("chosen", sum_over((n, m), S[i, n] * L[n, m] * S[j, m]))
    whole = let("whole", L[n, m] + one_hot(n, m))
    return logdet(chosen) - logdet(whole)


@formula
def stein_loss(A: T[i, j], B: T[i, j]) -> T[()]:
    """tr(A B⁻¹) − log det(A B⁻¹) − I: the log-determinant divergence of two positive definite matrices.

    Source: James and Stein, Estimation with Quadratic Loss (1961), section 5.
    """
    for X in (A, B):
        assume(definite(X))
    inverse = inv(B)
    return sum_over((i, j), A[i, j] * inverse[j, i]) - logdet(A) + logdet(B) - i.size


# Filters and implicit layers.


def _filtered(x, P, z, F, H, Q, R):
    """(mean and covariance ahead, H P, covariance of the measurement and its inverse, what the measurement adds)."""
    for S in (P, Q):
        assume(definite(S))
    assume(definite(R))
    ahead = let("ahead", sum_over(j, F[i, j] * x[j]))
    spread = let("spread", sum_over((s, t), F[i, s] * P[s, t] * F[j, t]) + Q[i, j])
    seen = let("seen", sum_over(j, H[p, j] * spread[i, j]))
    S = let("S", sum_over(i, seen[i, p] * H[q, i]) + R[p, q])
    r = let("r", z[p] - sum_over(i, H[p, i] * ahead[i]))
    return ahead, spread, seen, S, r


@formula
def kalman_step(x: T[i], P: T[i, j], z: T[p], F: T[i, j], H: T[p, i], Q: T[i, j], R: T[p, q]) -> tuple[T[i], T[i, j]]:
    """Predict by F and Q, then correct by the measurement z = H x with noise R: the new mean and covariance.

    Source: Kalman, A New Approach to Linear Filtering and Prediction Problems (1960).
    """
    ahead, spread, seen, S, r = _filtered(x, P, z, F, H, Q, R)
    inverse = inv(S)
    gain = let("gain", sum_over(q, seen[i, q] * inverse[q, p]))
    return (
        ahead[i] + sum_over(p, gain[i, p] * r[p]),
        spread[i, j] - sum_over(p, gain[i, p] * seen[j, p]),
    )


@formula
def kalman_log_likelihood(x: T[i], P: T[i, j], z: T[p], F: T[i, j], H: T[p, i], Q: T[i, j], R: T[p, q]) -> T[()]:
    """log N(z | H F x, S), for one measurement; S = H (F P Fᵀ + Q) Hᵀ + R.

    Source: Schweppe, Evaluation of Likelihood Functions for Gaussian Signals (1965).
    """
    _, _, _, S, r = _filtered(x, P, z, F, H, Q, R)
    inverse = inv(S)
    return -(sum_over((p, q), r[p] * inverse[p, q] * r[q]) + logdet(S) + p.size * log(2 * pi)) / 2


@formula
def rts_smoother(x: T[i], P: T[i, j], ahead: T[i], F: T[i, j], Q: T[i, j]) -> T[i]:
    """x + P Fᵀ (F P Fᵀ + Q)⁻¹ (x′ − F x): the filtered mean x, once the smoothed mean x′ of the next step is known.

    Source: Rauch, Tung, Striebel, Maximum Likelihood Estimates of Linear Dynamic Systems (1965), eq. 3.30.
    """
    for S in (P, Q):
        assume(definite(S))
    spread = let("spread", sum_over((s, t), F[i, s] * P[s, t] * F[j, t]) + Q[i, j])
    r = let("r", ahead[i] - sum_over(j, F[i, j] * x[j]))
    back = let("back", solve(spread, r)[i])
    return x[i] + sum_over((s, j), P[i, s] * F[j, s] * back[j])


@formula
def lqr_gain(A: T[i, j], B: T[i, p], P: T[i, j], R: T[p, q]) -> T[p, i]:
    """K = (R + BᵀPB)⁻¹ BᵀPA: u = −K x costs least, where xᵀPx is what the state costs from the next step on.

    Source: Anderson and Moore, Optimal Control: Linear Quadratic Methods (1990), section 2.4.
    """
    for S in (P, R):
        assume(definite(S))
    costs = let("costs", R[p, q] + sum_over((i, j), B[i, p] * P[i, j] * B[j, q]))
    inverse = inv(costs)
    moved = let("moved", sum_over((s, t), A[s, i] * P[s, t] * B[t, q]))
    return sum_over(q, inverse[p, q] * moved[i, q])


@formula
def linear_fixed_point(A: T[n, m], b: T[n]) -> T[n]:
    """The z of z = A z + b: an implicit layer, differentiated without its iterations.

    Source: Bai, Kolter, Koltun, Deep Equilibrium Models (2019), theorem 1, for a linear map.
    """
    M = let("M", one_hot(n, m) - A[n, m])
    return solve(M, b)[n]


@formula
def quadratic_minimiser(Q: T[n, m], c: T[n]) -> T[n]:
    """The z of least ½ zᵀQz + cᵀz: Q z = −c.

    Source: Amos and Kolter, OptNet (2017), section 3.1, without constraints.
    """
    assume(definite(Q))
    return -solve(Q, c)[n]
