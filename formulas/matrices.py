"""Functions of matrices, and what is written with a few of them: low rank, projections, curved spaces.

A symmetric matrix is stated by `assume`; its gradient has n² entries, as that of any other matrix.
"""

from derive import (
    T,
    asinh,
    assume,
    axes,
    axis,
    cholesky,
    definite,
    det,
    eig,
    eigh,
    expm,
    formula,
    inv,
    kron,
    let,
    log,
    logdet,
    logm,
    matrix_power,
    mean_over,
    norm,
    one_hot,
    pi,
    pinv,
    qr,
    real_spectrum,
    solve,
    sqrt,
    sqrtm,
    sum_over,
    svd,
    trace,
)

b, n, d, i, k, p = axes("b n d i k p")
m, j, e, q, l = n.alias("m"), i.alias("j"), d.alias("e"), p.alias("q"), k.alias("l")
ni, dk = axis("ni", n.size * i.size), axis("dk", d.size * k.size)

__all__ = """
    matrix_inverse determinant log_determinant matrix_trace linear_system cholesky_factor symmetric_eigenvalues
    symmetric_eigenvectors singular_values left_singular_vectors right_singular_vectors frobenius_norm
    orthonormal_factor triangular_factor real_eigenvalues real_eigenvectors matrix_exponential matrix_square_root
    matrix_logarithm nuclear_norm largest_singular_value pseudo_inverse matrix_cube kronecker_product factor_analysis
    woodbury_inverse low_rank_log_determinant pca_reconstruction pca_variance cca_correlation fisher_ratio
    stiefel_projection poincare_distance bures_distance acyclicity
""".split()


# Functions of one matrix.


@formula
def matrix_inverse(A: T[n, m]) -> T[m, n]:
    """A⁻¹: A A⁻¹ = 1."""
    return inv(A)[m, n]


@formula
def determinant(A: T[n, m]) -> T[()]:
    """det A."""
    return det(A)


@formula
def log_determinant(A: T[b, n, m]) -> T[b]:
    """log |det A|, of each matrix of a batch."""
    return logdet(A)


@formula
def matrix_trace(A: T[n, m]) -> T[()]:
    """tr A: the sum of the diagonal."""
    return trace(A)


@formula
def linear_system(A: T[n, m], b: T[n]) -> T[m]:
    """The x of A x = b."""
    return solve(A, b)[m]


@formula
def cholesky_factor(A: T[n, m]) -> T[n, m]:
    """The lower triangular L with L Lᵀ = A and a positive diagonal; of a matrix that is not symmetric, of (A + Aᵀ)/2.

    Source: Golub and Van Loan, Matrix Computations (2013), section 4.2.
    """
    assume(definite(A))
    return cholesky(A)[n, m]


@formula
def symmetric_eigenvalues(A: T[n, m]) -> T[n]:
    """The eigenvalues λ of (A + Aᵀ)/2, ascending."""
    values, _ = eigh(A)
    return values[n]


@formula
def symmetric_eigenvectors(A: T[n, m]) -> T[n, m]:
    """The eigenvectors of (A + Aᵀ)/2 in columns, by ascending eigenvalue; in each the largest entry is positive."""
    _, vectors = eigh(A)
    return vectors[n, m]


@formula
def singular_values(A: T[n, d]) -> T[d]:
    """The singular values σ of A, descending: A V = U Σ. A has no fewer rows than columns.

    Source: Golub and Van Loan, Matrix Computations (2013), section 2.4.
    """
    assume(d.size <= n.size)
    _, values, _ = svd(A)
    return values[d]


@formula
def left_singular_vectors(A: T[n, d]) -> T[n, d]:
    """The U of A = U Σ Vᵀ, as many columns as A has; signs as those of V."""
    assume(d.size <= n.size)
    left, _, _ = svd(A)
    return left[n, d]


@formula
def right_singular_vectors(A: T[n, d]) -> T[d, e]:
    """The V of A = U Σ Vᵀ; in each of its columns the largest entry is positive."""
    assume(d.size <= n.size)
    _, _, right = svd(A)
    return right[d, e]


@formula
def orthonormal_factor(A: T[n, d]) -> T[n, d]:
    """The Q of A = Q R: orthonormal columns that span those of A, one after the other.

    Source: Golub and Van Loan, Matrix Computations (2013), section 5.2.
    """
    assume(d.size <= n.size)
    Q, _ = qr(A)
    return Q[n, d]


@formula
def triangular_factor(A: T[n, d]) -> T[d, e]:
    """The R of A = Q R, upper triangular with a positive diagonal."""
    assume(d.size <= n.size)
    _, R = qr(A)
    return R[d, e]


@formula
def real_eigenvalues(A: T[n, m]) -> T[n]:
    """The eigenvalues λ of a general A, ascending, where they are real and differ: A X = X Λ.

    Source: Golub and Van Loan, Matrix Computations (2013), section 7.1.
    """
    assume(real_spectrum(A))
    values, _ = eig(A)
    return values[n]


@formula
def real_eigenvectors(A: T[n, m]) -> T[n, m]:
    """The eigenvectors X of a general A in columns of length 1; in each the largest entry is positive."""
    assume(real_spectrum(A))
    _, vectors = eig(A)
    return vectors[n, m]


@formula
def matrix_exponential(A: T[n, m]) -> T[n, m]:
    """e^A = Σ Aᵏ/k!.

    Source: Higham, Functions of Matrices (2008), section 10.1.
    """
    return expm(A)[n, m]


@formula
def matrix_square_root(A: T[n, m]) -> T[n, m]:
    """The positive definite S with S S = A; of a matrix that is not symmetric, of (A + Aᵀ)/2.

    Source: Higham, Functions of Matrices (2008), section 1.7.
    """
    assume(definite(A))
    return sqrtm(A)[n, m]


@formula
def matrix_logarithm(A: T[n, m]) -> T[n, m]:
    """The symmetric L with e^L = A, of a positive definite A; of a matrix that is not symmetric, of (A + Aᵀ)/2.

    Source: Higham, Functions of Matrices (2008), section 11.1.
    """
    assume(definite(A))
    return logm(A)[n, m]


@formula
def frobenius_norm(A: T[n, d]) -> T[()]:
    """‖A‖ = √(Σ A²)."""
    return norm(A)


@formula
def nuclear_norm(A: T[n, d]) -> T[()]:
    """‖A‖_* = Σ σ: the sum of the singular values.

    Source: Fazel, Matrix Rank Minimization with Applications (2002), section 5.1.
    """
    assume(d.size <= n.size)
    return norm(A, "nuc")


@formula
def largest_singular_value(A: T[n, d]) -> T[()]:
    """‖A‖₂ = max σ: the largest singular value."""
    assume(d.size <= n.size)
    return norm(A, 2)


@formula
def pseudo_inverse(A: T[n, d]) -> T[d, n]:
    """A⁺ = (AᵀA)⁻¹Aᵀ, of full column rank.

    Source: Golub and Pereyra, The Differentiation of Pseudo-Inverses (1973), for that case.
    """
    assume(d.size <= n.size)
    return pinv(A)[d, n]


@formula
def matrix_cube(A: T[n, m]) -> T[n, m]:
    """A³."""
    return matrix_power(A, 3)[n, m]


@formula
def kronecker_product(A: T[n, d], B: T[i, k]) -> T[ni, dk]:
    """A ⊗ B: each entry of A times B."""
    return kron(A, B)[ni, dk]


# Low rank and a diagonal.


@formula
def factor_analysis(x: T[b, i], W: T[i, k], psi: T[i]) -> T[()]:
    """Σ log N(x | 0, WWᵀ + diag ψ): data of a few factors, and noise of its own for every coordinate.

    Source: Bishop, Pattern Recognition and Machine Learning (2006), section 12.2.4.
    """
    assume(psi[i] > 0)
    C = let("C", sum_over(k, W[i, k] * W[j, k]) + psi[i] * one_hot(i, j))
    precision = inv(C)
    squares = sum_over((b, i, j), x[b, i] * precision[i, j] * x[b, j])
    return -(squares + b.size * logdet(C) + b.size * i.size * log(2 * pi)) / 2


@formula
def woodbury_inverse(W: T[i, k], psi: T[i]) -> T[i, j]:
    """(WWᵀ + Ψ)⁻¹ = Ψ⁻¹ − Ψ⁻¹W (1 + WᵀΨ⁻¹W)⁻¹ WᵀΨ⁻¹, for a diagonal Ψ: a system of K rows, not of I.

    Source: Woodbury, Inverting Modified Matrices (1950).
    """
    assume(psi[i] > 0)
    small = let("small", one_hot(k, l) + sum_over(i, W[i, k] * W[i, l] / psi[i]))
    inner = inv(small)
    low = sum_over((k, l), W[i, k] * inner[k, l] * W[j, l])
    return one_hot(i, j) / psi[i] - low / (psi[i] * psi[j])


@formula
def low_rank_log_determinant(W: T[i, k], psi: T[i]) -> T[()]:
    """log det(WWᵀ + Ψ) = log det(1 + WᵀΨ⁻¹W) + Σ log ψ, for a diagonal Ψ.

    Source: Sylvester's determinant identity; Petersen and Pedersen, The Matrix Cookbook (2012), eq. 24.
    """
    assume(psi[i] > 0)
    small = let("small", one_hot(k, l) + sum_over(i, W[i, k] * W[i, l] / psi[i]))
    return logdet(small) + sum_over(i, log(psi[i]))


# Projections and their objectives.


@formula
def pca_reconstruction(X: T[n, i], W: T[i, k]) -> T[()]:
    """‖X − X W Wᵀ‖²: what is lost in projecting onto the columns of W.

    Source: Baldi and Hornik, Neural networks and principal component analysis (1989), eq. 5.
    """
    z = let("z", sum_over(i, X[n, i] * W[i, k]))
    return sum_over((n, i), (X[n, i] - sum_over(k, z[n, k] * W[i, k])) ** 2)


@formula
def pca_variance(X: T[n, i], W: T[i, k]) -> T[()]:
    """tr((WᵀW)⁻¹ WᵀSW): the variance within the span of W, for S = XᵀX/N."""
    assume(k.size <= i.size)
    S = let("S", mean_over(n, X[n, i] * X[n, j]))
    gram = let("gram", sum_over(i, W[i, k] * W[i, l]))
    within = let("within", sum_over((i, j), W[i, k] * S[i, j] * W[j, l]))
    inverse = inv(gram)
    return sum_over((k, l), inverse[k, l] * within[l, k])


@formula
def cca_correlation(X: T[n, i], Y: T[n, p], u: T[i], v: T[p]) -> T[()]:
    """uᵀXᵀYv/√(|Xu|² |Yv|²): the correlation of two projections, of data with mean 0.

    Source: Hotelling, Relations between two sets of variates (1936).
    """
    a = let("a", sum_over(i, X[n, i] * u[i]))
    c = let("c", sum_over(p, Y[n, p] * v[p]))
    return sum_over(n, a[n] * c[n]) / sqrt(sum_over(n, a[n] ** 2) * sum_over(n, c[n] ** 2))


@formula
def fisher_ratio(W: T[i, k], between: T[i, j], within: T[i, j]) -> T[()]:
    """tr((WᵀS_wW)⁻¹ WᵀS_bW): the spread between classes over the spread within them, in the span of W.

    Source: Fukunaga, Introduction to Statistical Pattern Recognition (1990), section 10.2.
    """
    assume(k.size <= i.size)
    for S in (between, within):
        assume(definite(S))
    inner = let("inner", sum_over((i, j), W[i, k] * within[i, j] * W[j, l]))
    outer = let("outer", sum_over((i, j), W[i, k] * between[i, j] * W[j, l]))
    inverse = inv(inner)
    return sum_over((k, l), inverse[k, l] * outer[l, k])


# Curved spaces.


@formula
def stiefel_projection(W: T[i, k], G: T[i, k]) -> T[i, k]:
    """G − W (WᵀG + GᵀW)/2: the part of a gradient that is tangent to the orthonormal frames W.

    Source: Edelman, Arias, Smith, The Geometry of Algorithms with Orthogonality Constraints (1998), eq. 2.3.
    """
    inner = let("inner", sum_over(i, W[i, k] * G[i, l]))
    return G[i, k] - sum_over(l, W[i, l] * (inner[l, k] + inner[k, l])) / 2


def _inside(name):
    """Points of the ball of radius 0.9."""

    def sample(rng, shapes):
        x = rng.normal(size=shapes[name])
        return {name: 0.9 * x / (1 + (x**2).sum(axis=-1, keepdims=True)) ** 0.5}

    return sample


@formula
def poincare_distance(u: T[b, d], v: T[b, d]) -> T[b]:
    """arcosh(1 + 2|u − v|²/((1 − |u|²)(1 − |v|²))) = 2 arsinh √(|u − v|²/…): points of the unit ball.

    Source: Nickel and Kiela, Poincaré Embeddings for Learning Hierarchical Representations (2017), eq. 1.
    """
    for x in (u, v):
        assume(sum_over(d, x[b, d] ** 2) < 1, sample=_inside(x.name))
    apart = sum_over(d, (u[b, d] - v[b, d]) ** 2)
    room = let("room", (1 - sum_over(d, u[b, d] ** 2)) * (1 - sum_over(d, v[b, d] ** 2)))
    return 2 * asinh(sqrt(apart / room[b]))


@formula
def bures_distance(A: T[n, m], B: T[n, m]) -> T[()]:
    """tr A + tr B − 2 tr (A^½ B A^½)^½: the squared Wasserstein distance of two Gaussians with mean 0.

    Source: Bhatia, Jain, Lim, On the Bures-Wasserstein distance between positive definite matrices (2019), eq. 1.
    """
    for S in (A, B):
        assume(definite(S))
    root, g, h = sqrtm(A), n.alias("g"), n.alias("h")
    inner = let("inner", sum_over((g, h), root[n, g] * B[g, h] * root[h, m]))
    return trace(A) + trace(B) - 2 * trace(sqrtm(inner))


@formula
def acyclicity(W: T[n, m]) -> T[()]:
    """tr e^{W∘W} − N: 0 where the graph with the weights W has no cycle.

    Source: Zheng et al., DAGs with NO TEARS (2018), eq. 8.
    """
    squares = let("squares", W[n, m] ** 2)
    return trace(expm(squares)) - n.size
