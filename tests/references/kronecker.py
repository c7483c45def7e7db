"""Methods with a preconditioner for each axis of an array.

Gupta, Koren and Singer 2018, "Shampoo", arXiv:1802.09568; Vyas et al. 2024, "SOAP",
arXiv:2409.11321; and the papers named below. Products are written with unfoldings, and powers of a
symmetric matrix by its singular values.
"""

import itertools
from collections.abc import Iterator

import numpy as np

from tests.references.stepping import Gradients, Numbers, each_step, quotient, recorded


def unfolded(G: np.ndarray, axis: int) -> np.ndarray:
    """mat_i(G): one row for each position along an axis."""
    return np.moveaxis(G, axis, 0).reshape(G.shape[axis], -1)


def times(M: np.ndarray, G: np.ndarray, axis: int) -> np.ndarray:
    """G ×_i M."""
    shape = np.moveaxis(G, axis, 0).shape
    return np.moveaxis((M @ unfolded(G, axis)).reshape(M.shape[0], *shape[1:]), 0, axis)


def power(M: np.ndarray, exponent: float) -> np.ndarray:
    """M^exponent of a symmetric matrix that is positive definite."""
    U, s, _ = np.linalg.svd(M)
    return (U * s**exponent) @ U.T


def regions(shape: tuple[int, ...], block_size: int | None) -> list[tuple[slice, ...]]:
    """The blocks of an array whose sides are equal, but for the last, and at most block_size."""
    sides = []
    for n in shape:
        side = n if block_size is None else -(-n // -(-n // block_size))
        sides.append([slice(start, min(start + side, n)) for start in range(0, n, side)])
    return list(itertools.product(*sides))


class Preconditioner:
    """The factors of one block, and the direction that they make of a gradient."""

    def __init__(self, shape, beta2, eps, exponent, axes, relative, summed):
        self.axes = range(len(shape)) if axes is None else axes
        self.H = {i: np.zeros((shape[i], shape[i])) for i in self.axes}
        self.roots = {}
        self.exponent = 1 / (2 * len(self.axes)) if exponent is None else exponent
        self.beta2, self.eps, self.relative, self.summed = beta2, eps, relative, summed

    def direction(self, G, t, every):
        for i in self.axes:
            new = unfolded(G, i) @ unfolded(G, i).T
            if self.beta2 is None:
                self.H[i] = self.H[i] + new
            else:
                self.H[i] = self.beta2 * self.H[i] + (1 - self.beta2) * new
        if (t - 1) % every == 0:
            for i, H in self.H.items():
                corrected = H if self.beta2 is None else H / (1 - self.beta2**t)
                eps = self.eps * (np.linalg.norm(corrected, 2) if self.relative else 1)
                self.roots[i] = power(corrected + eps * np.eye(len(H)), -self.exponent)
        if self.summed:
            J = sum(times(self.roots[i], G, i) for i in self.axes)
            return sum(times(self.roots[i], J, i) for i in self.axes) / len(self.axes) ** 2
        for i in self.axes:
            G = times(self.roots[i], G, i)
        return G


class KLFactors:
    """Lin et al. 2025, section 3: S_a averages G S_b⁻¹ Gᵀ/d_b, with eigenvalues diag(QᵀSQ)."""

    def __init__(self, shape, axes, eps, relative):
        self.axes, self.eps, self.relative = axes, eps, relative
        self.S = {i: np.zeros((shape[i], shape[i])) for i in axes}
        self.Q = {i: np.eye(shape[i]) for i in axes}

    def root(self, i):
        values = np.maximum(np.diag(self.Q[i].T @ self.S[i] @ self.Q[i]), 0)
        values = values + self.eps * (values.max() if self.relative else 1)
        return self.Q[i] / np.sqrt(values) @ self.Q[i].T

    def add(self, G, beta, *, first):
        # At first there is nothing to whiten by, and only the size of G is divided out: the product
        # of the factors is to have the size of the squares.
        size = np.mean(G**2) ** (-0.5 / len(self.axes))
        roots = {i: size * np.eye(G.shape[i]) if first else self.root(i) for i in self.axes}
        for i in self.axes:
            A = G
            for j in self.axes:
                A = A if j == i else times(roots[j], A, j)
            new = unfolded(A, i) @ unfolded(A, i).T / (G.size / G.shape[i])
            self.S[i] = new if first else beta * self.S[i] + (1 - beta) * new


@recorded
def shampoo(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    decay: float | None = None,
    eps: float = 1e-6,
    momentum: Numbers = 0.0,
    weight_decay: float = 0.0,
    exponent: float | None = None,
    every: int = 1,
    relative_eps: bool = False,
    block_size: int | None = None,
    axes: tuple[int, ...] | None = None,
    summed: bool = False,
    graft: str | None = None,
    start: int = 0,
) -> Iterator[np.ndarray]:
    """W ← W − η L^(−1/4) G R^(−1/4), L ← L + GGᵀ, R ← R + GᵀG: Algorithm 1, and 2 for tensors.

    ε is added at the root, which is the εI that the sums start from. ``decay`` makes averages of
    the sums, corrected for their start. ``summed``: CASPR (Duvvuri et
    al. 2024, Algorithm 1), J = L̃G + GR̃, W ← W − η/4 (L̃J + JR̃). Vectors have the diagonal form.
    ``graft``: the length of Adagrad's or of the gradient's own step (Agarwal et al. 2020).
    """
    theta, v = params0, np.zeros_like(params0)
    squares, adagrad = np.zeros_like(params0), np.zeros_like(params0)
    blocks = regions(params0.shape, block_size) if params0.ndim >= 2 else []
    of_blocks = [
        Preconditioner(params0[b].shape, decay, eps, exponent, axes, relative_eps, summed)
        for b in blocks
    ]
    for t, (eta, mu) in each_step(learning_rate, momentum):
        G = grads(t, theta)
        if params0.ndim < 2:
            squares = squares + G**2 if decay is None else decay * squares + (1 - decay) * G**2
            corrected = squares if decay is None else squares / (1 - decay**t)
            direction = quotient(
                G, np.sqrt(corrected + eps * (corrected.max() if relative_eps else 1))
            )
        else:
            direction = np.zeros_like(G)
            for b, P in zip(blocks, of_blocks, strict=True):
                direction[b] = P.direction(G[b], t, every)
        if graft is not None:
            adagrad = adagrad + G**2
            other = G if graft == "sgd" else quotient(G, np.sqrt(adagrad))
            norm = np.linalg.norm(direction)
            onto = direction * (np.linalg.norm(other) / norm if norm else 0)
            direction = onto if t > start else other
        v = mu * v + direction
        theta = theta - eta * (v + weight_decay * theta)
        yield theta


def eigenvectors(M: np.ndarray) -> np.ndarray:
    """The eigenvectors of a symmetric matrix, that of the largest eigenvalue first."""
    return np.linalg.eigh(M)[1][:, ::-1]


def rotated(G: np.ndarray, Q: list[np.ndarray], *, back: bool = False) -> np.ndarray:
    """Qᵀ along each axis, or Q."""
    for i, q in enumerate(Q):
        G = times(q if back else q.T, G, i)
    return G


@recorded
def soap(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.95,
    b2: float = 0.95,
    eps: float = 1e-8,
    weight_decay: float = 0.01,
    factor_decay: float = 0.95,
    every: int = 10,
    kl: bool = False,
    kl_eps: float = 1e-4,
) -> Iterator[np.ndarray]:
    """Vyas et al. 2024, Algorithms 3 and 4, with what the authors' code adds to them.

    N = Q_L (M'/√V) Q_Rᵀ, L ← βL + (1 − β)GGᵀ; every so many steps Q ← QR(LQ), its columns sorted by
    QᵀLQ before, and V with them. The first gradient only makes the first Q, by eigenvectors, and
    is not counted. ε is added to the corrected root. ``kl``: Lin et al. 2025, G S⁻¹ Gᵀ/d with the
    eigenvalues that Q sees, and the first factors from the first gradient as a whole,
    divided by a power of its size.
    """
    theta, M, V = params0, np.zeros_like(params0), np.zeros_like(params0)
    own = range(params0.ndim) if params0.ndim >= 2 else ()
    factors = KLFactors(params0.shape, own, kl_eps, relative=True)
    L, Q = factors.S, factors.Q
    for step, (eta,) in each_step(learning_rate):
        G, t = grads(step, theta), step - 1
        if t > 0:
            turn = [Q[i] for i in own]
            M = b1 * M + (1 - b1) * G
            V = b2 * V + (1 - b2) * rotated(G, turn) ** 2
            M_hat, V_hat = M / (1 - b1**t), V / (1 - b2**t)
            N = rotated(quotient(rotated(M_hat, turn), np.sqrt(V_hat) + eps), turn, back=True)
            theta = theta - eta * (N + weight_decay * theta)
        else:
            theta = theta - eta * weight_decay * theta
        if kl and own:
            factors.add(G, factor_decay, first=t == 0)
        for i in own:
            if not kl:
                gram = unfolded(G, i) @ unfolded(G, i).T
                L[i] = factor_decay * L[i] + (1 - factor_decay) * gram
            if t == 0:
                Q[i] = eigenvectors(L[i])
            elif t % every == 0:
                order = np.argsort(-np.diag(Q[i].T @ L[i] @ Q[i]))
                V = np.take(V, order, i)
                Q[i] = np.linalg.qr(L[i] @ Q[i][:, order])[0]
        yield theta


@recorded
def kl_shampoo(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.95,
    decay: float = 0.95,
    eps: float = 1e-6,
    weight_decay: float = 0.0,
    every: int = 10,
    relative_eps: bool = False,
) -> Iterator[np.ndarray]:
    """W ← W − η S_a^(−1/2) G S_b^(−1/2): Lin et al. 2025, arXiv:2509.03378, section 3.

    Eigenvectors are found anew after ``every`` steps, eigenvalues at each. What is whitened is then
    averaged, and the average corrected. Vectors have the diagonal form.
    """
    theta, m, v = params0, np.zeros_like(params0), np.zeros_like(params0)
    own = range(params0.ndim) if params0.ndim >= 2 else ()
    factors = KLFactors(params0.shape, own, eps, relative_eps)
    seen = False
    for t, (eta,) in each_step(learning_rate):
        G = grads(t, theta)
        if own:
            factors.add(G, decay, first=t == 1)
            if (t - 1) % every == 0:
                factors.Q = {i: eigenvectors(S) for i, S in factors.S.items()}
            W = G
            for i in own:
                W = times(factors.root(i), W, i)
        else:
            # A zero is not a first gradient.
            v = decay * v + (1 - decay) * G**2 if seen else G**2
            seen = seen or bool(np.any(G))
            W = quotient(G, np.sqrt(v + eps * (v.max() if relative_eps else 1)))
        m = b1 * m + (1 - b1) * W
        theta = theta - eta * (m / (1 - b1**t) + weight_decay * theta)
        yield theta


@recorded
def splus(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.9,
    b2: float = 0.999,
    weight_decay: float = 0.01,
    every: int = 100,
    other_scale: float = 1e-3,
) -> Iterator[np.ndarray]:
    """W ← W − η·2/(m+n) Q_L sign(Q_Lᵀ M Q_R) Q_Rᵀ: Frans et al. 2025, arXiv:2506.07254, Alg. 1.

    Q are the eigenvectors of L and R after the steps 1, 1 + every, …; I before the first.
    """
    theta, M = params0, np.zeros_like(params0)
    own = range(params0.ndim) if params0.ndim >= 2 else ()
    L = [np.zeros((params0.shape[i],) * 2) for i in own]
    Q = [np.eye(params0.shape[i]) for i in own]
    scale = 2 / sum(params0.shape) if params0.ndim == 2 else other_scale
    for t, (eta,) in each_step(learning_rate):
        G = grads(t, theta)
        M = b1 * M + (1 - b1) * G
        step = rotated(np.sign(rotated(M, Q)), Q, back=True)
        theta = theta - eta * scale * (step + weight_decay * theta)
        L = [b2 * L[i] + (1 - b2) * unfolded(G, i) @ unfolded(G, i).T for i in own]
        if (t - 1) % every == 0:
            Q = [eigenvectors(L[i]) for i in own]
        yield theta


def wave(shape: tuple[int, ...]) -> np.ndarray:
    """Probes that are not random, for comparisons."""
    return np.cos(1.0 + 2.7 * np.arange(np.prod(shape, dtype=int))).reshape(shape)


@recorded
def kron(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.9,
    weight_decay: float = 0.0,
    probability: Numbers = 1.0,
    precond_lr: float = 0.1,
    max_rms: float = 1.1,
) -> Iterator[np.ndarray]:
    """θ ← θ − η clip(QᵀQ m̂): PSGD with a factor for each axis.

    Li 2024, arXiv:2402.11858, table 2 and section 4: Q_i ← Q_i − μ triu(A_iA_iᵀ − B_iB_iᵀ) Q_i/‖·‖
    with A = Q(g) and B = Q⁻ᵀ(v), here by Kronecker products of whole matrices; ‖·‖ is bounded by
    ‖M (M m/‖M m‖)‖ with the longest row m. Vectors have a diagonal Q and the largest entry as norm.
    Probes v are the same at each step: `wave`. ``probability``: an update once 1/p steps are over.
    """
    theta, m = params0, np.zeros_like(params0)
    shape = params0.shape or (1,)
    diagonal = params0.ndim < 2
    Q = [np.eye(n) for n in shape]
    v = wave(shape)
    beta_to_t, counter = 1.0, 0
    for t, (eta, p) in each_step(learning_rate, probability):
        m = b1 * m + (1 - b1) * grads(t, theta)
        beta_to_t *= b1
        m_hat = (m / (1 - beta_to_t)).reshape(shape)
        counter += 1
        if counter >= 1 / p:
            counter = 0
            whole = Q[0]
            for q in Q[1:]:
                whole = np.kron(whole, q)
            A = (whole @ m_hat.ravel()).reshape(shape)
            B = np.linalg.solve(whole.T, v.ravel()).reshape(shape)
            new = []
            for i, q in enumerate(Q):
                AA, BB = (unfolded(x, i) @ unfolded(x, i).T for x in (A, B))
                if diagonal:
                    AA, BB = np.diag(np.diag(AA)), np.diag(np.diag(BB))
                    norm = (AA + BB).max()
                else:
                    M = AA + BB
                    x = M @ M[np.argmax((M**2).sum(axis=1))]
                    norm = np.linalg.norm(M @ (x / np.linalg.norm(x)))
                new.append(q - precond_lr * np.triu(AA - BB) @ q / norm)
            Q = new
        u = m_hat
        for i, q in enumerate(Q):
            u = times(q.T @ q, u, i)
        u = u / max(1.0, np.sqrt(np.mean(u**2)) / max_rms)
        theta = theta - eta * (u.reshape(params0.shape) + weight_decay * theta)
        yield theta
