"""Adam and its family: Kingma and Ba 2015, "Adam", arXiv:1412.6980, unless another paper is named.

The papers write βᵗ for a constant β. The running product ``beta_to_t`` is that power, and where β
varies it is still the weight that an average from zero lacks, which the correction makes up for.
"""

from collections.abc import Iterator

import numpy as np

from tests.references.stepping import Gradients, Numbers, each_step, quotient, recorded, root


@recorded
def adam(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: Numbers = 0.9,
    b2: Numbers = 0.999,
    eps: Numbers = 1e-8,
    eps_in_sqrt: bool = False,
    bias_correction: bool = True,
) -> Iterator[np.ndarray]:
    """θ ← θ − α m̂/(√v̂ + ε): Algorithm 1; without ``bias_correction`` m̂ = m and v̂ = v."""
    theta, m, v = params0, np.zeros_like(params0), np.zeros_like(params0)
    beta1_to_t = beta2_to_t = 1.0
    for t, (alpha, beta1, beta2, epsilon) in each_step(learning_rate, b1, b2, eps):
        g = grads(t, theta)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        beta1_to_t, beta2_to_t = beta1_to_t * beta1, beta2_to_t * beta2
        m_hat = m / (1 - beta1_to_t) if bias_correction else m
        v_hat = v / (1 - beta2_to_t) if bias_correction else v
        theta = theta - alpha * quotient(m_hat, root(v_hat, epsilon, eps_in_sqrt))
        yield theta


@recorded
def adam_efficient(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: Numbers = 0.9,
    b2: Numbers = 0.999,
    eps: Numbers = 1e-8,
) -> Iterator[np.ndarray]:
    """θ ← θ − αₜ m/(√v + ε̂), αₜ = α√(1 − β₂ᵗ)/(1 − β₁ᵗ): end of section 2; ``eps`` is ε̂."""
    theta, m, v = params0, np.zeros_like(params0), np.zeros_like(params0)
    beta1_to_t = beta2_to_t = 1.0
    for t, (alpha, beta1, beta2, epsilon_hat) in each_step(learning_rate, b1, b2, eps):
        g = grads(t, theta)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        beta1_to_t, beta2_to_t = beta1_to_t * beta1, beta2_to_t * beta2
        alpha_t = alpha * np.sqrt(1 - beta2_to_t) / (1 - beta1_to_t)
        theta = theta - alpha_t * quotient(m, np.sqrt(v) + epsilon_hat)
        yield theta


@recorded
def adamw(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: Numbers = 0.9,
    b2: Numbers = 0.999,
    eps: Numbers = 1e-8,
    weight_decay: Numbers = 1e-4,
) -> Iterator[np.ndarray]:
    """θ ← θ − α (m̂/(√v̂ + ε) + λθ): Loshchilov and Hutter 2019, arXiv:1711.05101, Algorithm 2.

    Their schedule multiplier η scales step and decay alike, and their α the step alone. Here, as in
    every library, the learning rate is their ηα, and ``weight_decay`` their λ/α.
    """
    theta, m, v = params0, np.zeros_like(params0), np.zeros_like(params0)
    beta1_to_t = beta2_to_t = 1.0
    numbers = each_step(learning_rate, b1, b2, eps, weight_decay)
    for t, (alpha, beta1, beta2, epsilon, decay) in numbers:
        g = grads(t, theta)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        beta1_to_t, beta2_to_t = beta1_to_t * beta1, beta2_to_t * beta2
        m_hat, v_hat = m / (1 - beta1_to_t), v / (1 - beta2_to_t)
        theta = theta - alpha * (quotient(m_hat, np.sqrt(v_hat) + epsilon) + decay * theta)
        yield theta


@recorded
def amsgrad(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: Numbers = 0.9,
    b2: Numbers = 0.999,
    eps: Numbers = 1e-8,
    maximum_of_corrected: bool = False,
    bias_correction: bool = True,
) -> Iterator[np.ndarray]:
    """θ ← θ − α m/√(max over time of v): Reddi, Kale and Kumar 2018, arXiv:1904.09237, Algorithm 2.

    The paper corrects no bias (``bias_correction=False``) and has no ε. The correction can be read
    in two ways: torch takes the maximum of v and divides that by 1 − β₂ᵗ; optax takes the maximum
    of the corrected v̂ (``maximum_of_corrected=True``), which never forgets the large early ones.
    """
    theta, m, v = params0, np.zeros_like(params0), np.zeros_like(params0)
    v_max, v_hat_max = np.zeros_like(params0), np.zeros_like(params0)
    beta1_to_t = beta2_to_t = 1.0
    for t, (alpha, beta1, beta2, epsilon) in each_step(learning_rate, b1, b2, eps):
        g = grads(t, theta)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        v_max = np.maximum(v_max, v)
        if bias_correction:
            beta1_to_t, beta2_to_t = beta1_to_t * beta1, beta2_to_t * beta2
            v_hat_max = np.maximum(v_hat_max, v / (1 - beta2_to_t))
            m_hat = m / (1 - beta1_to_t)
            v_hat = v_hat_max if maximum_of_corrected else v_max / (1 - beta2_to_t)
        else:
            m_hat, v_hat = m, v_max
        theta = theta - alpha * quotient(m_hat, np.sqrt(v_hat) + epsilon)
        yield theta


@recorded
def adamax(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: Numbers = 0.9,
    b2: Numbers = 0.999,
    eps: Numbers = 1e-8,
    eps_in_max: bool = True,
) -> Iterator[np.ndarray]:
    """u ← max(β₂u, |g|); θ ← θ − α/(1 − β₁ᵗ) m/u: Algorithm 2, which has no ε.

    torch and optax write max(β₂u, |g| + ε) (``eps_in_max``), Keras m/(u + ε).
    """
    theta, m, u = params0, np.zeros_like(params0), np.zeros_like(params0)
    beta1_to_t = 1.0
    for t, (alpha, beta1, beta2, epsilon) in each_step(learning_rate, b1, b2, eps):
        in_max, at_division = (epsilon, 0.0) if eps_in_max else (0.0, epsilon)
        g = grads(t, theta)
        m = beta1 * m + (1 - beta1) * g
        u = np.maximum(beta2 * u, np.abs(g) + in_max)
        beta1_to_t = beta1_to_t * beta1
        theta = theta - alpha / (1 - beta1_to_t) * quotient(m, u + at_division)
        yield theta


@recorded
def nadam(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.9,
    b2: Numbers = 0.999,
    eps: Numbers = 1e-8,
    psi: float = 0.004,
    scheduled_average: bool = True,
) -> Iterator[np.ndarray]:
    """θ ← θ − α m̄/(√v̂ + ε), m̄ = μₜ₊₁ mₜ/(1 − ∏ᵗ⁺¹μ) + (1 − μₜ) gₜ/(1 − ∏ᵗμ).

    Dozat 2016, "Incorporating Nesterov Momentum into Adam", Algorithm 2; μₜ = β₁(1 − ½·0.96^(ψt)).
    ``psi`` is 0.004 there and in torch, 1 in Keras; at infinity μ = β₁, the plain form (optax's).
    He averages with the scheduled decay, m ← μₜm + (1 − μₜ)g, so that ∏μ is the weight m lacks;
    torch and Keras average with β₁ (``scheduled_average=False``) and still correct with ∏μ.
    He prints v̂ = β₂v/(1 − β₂ᵗ); the stray β₂ is left out here as it is everywhere. It would amount
    to dividing both the learning rate and ε by √β₂.
    """
    theta, m, v = params0, np.zeros_like(params0), np.zeros_like(params0)
    mu_product = beta2_to_t = 1.0
    for t, (alpha, beta2, epsilon) in each_step(learning_rate, b2, eps):
        mu, mu_next = (b1 * (1 - 0.5 * 0.96 ** (psi * step)) for step in (t, t + 1))
        beta1 = mu if scheduled_average else b1
        g = grads(t, theta)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        mu_product, beta2_to_t = mu_product * mu, beta2_to_t * beta2
        m_bar = mu_next * m / (1 - mu_product * mu_next) + (1 - mu) * g / (1 - mu_product)
        v_hat = v / (1 - beta2_to_t)
        theta = theta - alpha * quotient(m_bar, np.sqrt(v_hat) + epsilon)
        yield theta
