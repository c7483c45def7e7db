"""Losses beside their formulas, SciPy, optax and PyTorch."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.special
import scipy.stats

from gdlab import losses

pytestmark = pytest.mark.x64

RANDOM = np.random.default_rng(3)
LOGITS = RANDOM.normal(size=(5, 4)) * 3
OTHERS = RANDOM.normal(size=(5, 4)) * 2
PROBABILITIES = scipy.special.softmax(OTHERS, axis=1)
INTEGERS = np.array([0, 3, 1, 1, 2])
ONE_HOT = np.eye(4)[INTEGERS]
LOG_PREDICTIONS = scipy.special.log_softmax(LOGITS, axis=1)
WHERE = np.array([[1, 1, 1, 1], [1, 1, 0, 1], [0, 1, 1, 0], [1, 1, 1, 0], [0, 0, 1, 1]], bool)
SIGMOID_LABELS = RANDOM.uniform(size=(5, 4))

# Ours, SciPy's, and what torch.nn.functional calls it.
WITNESSES = {
    "squared error": (
        lambda: losses.squared_error(LOGITS, OTHERS),
        lambda: (LOGITS - OTHERS) ** 2,
        lambda t, f: f.mse_loss(t(LOGITS), t(OTHERS), reduction="none"),
    ),
    "half squared error": (
        lambda: losses.l2_loss(LOGITS, OTHERS),
        lambda: scipy.special.huber(np.inf, LOGITS - OTHERS),
        lambda t, f: f.mse_loss(t(LOGITS), t(OTHERS), reduction="none") / 2,
    ),
    "huber": (
        lambda: losses.huber_loss(LOGITS, OTHERS, delta=1.5),
        lambda: scipy.special.huber(1.5, LOGITS - OTHERS),
        lambda t, f: f.huber_loss(t(LOGITS), t(OTHERS), reduction="none", delta=1.5),
    ),
    "softmax": (
        lambda: losses.softmax_cross_entropy(LOGITS, PROBABILITIES),
        lambda: scipy.stats.entropy(PROBABILITIES, axis=1)
        + scipy.special.rel_entr(PROBABILITIES, np.exp(LOG_PREDICTIONS)).sum(axis=1),
        lambda t, f: f.cross_entropy(t(LOGITS), t(PROBABILITIES), reduction="none"),
    ),
    "softmax, integers": (
        lambda: losses.softmax_cross_entropy_with_integer_labels(LOGITS, INTEGERS),
        lambda: -LOG_PREDICTIONS[np.arange(5), INTEGERS],
        lambda t, f: f.cross_entropy(t(LOGITS), t(INTEGERS), reduction="none"),
    ),
    "sigmoid": (
        lambda: losses.sigmoid_binary_cross_entropy(LOGITS, SIGMOID_LABELS),
        lambda: -SIGMOID_LABELS * scipy.special.log_expit(LOGITS)
        - (1 - SIGMOID_LABELS) * scipy.special.log_expit(-LOGITS),
        lambda t, f: f.binary_cross_entropy_with_logits(
            t(LOGITS), t(SIGMOID_LABELS), reduction="none"
        ),
    ),
    "divergence": (
        lambda: losses.kl_divergence(LOG_PREDICTIONS, PROBABILITIES),
        lambda: scipy.stats.entropy(PROBABILITIES, np.exp(LOG_PREDICTIONS), axis=1),
        lambda t, f: f.kl_div(t(LOG_PREDICTIONS), t(PROBABILITIES), reduction="none").sum(1),
    ),
    "divergence, logarithms": (
        lambda: losses.kl_divergence_with_log_targets(LOG_PREDICTIONS, np.log(PROBABILITIES)),
        lambda: scipy.stats.entropy(PROBABILITIES, np.exp(LOG_PREDICTIONS), axis=1),
        lambda t, f: f.kl_div(
            t(LOG_PREDICTIONS), t(np.log(PROBABILITIES)), reduction="none", log_target=True
        ).sum(1),
    ),
    "smoothing": (
        lambda: losses.softmax_cross_entropy(LOGITS, losses.smooth_labels(ONE_HOT, 0.3)),
        lambda: -(0.7 * ONE_HOT * LOG_PREDICTIONS + 0.075 * LOG_PREDICTIONS).sum(axis=1),
        lambda t, f: f.cross_entropy(
            t(LOGITS), t(INTEGERS), reduction="none", label_smoothing=0.3
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("ours", "scipys"), [row[:2] for row in WITNESSES.values()], ids=WITNESSES)
def test_a_loss_is_that_of_scipy(ours, scipys):
    np.testing.assert_allclose(ours(), scipys(), rtol=1e-12)


@pytest.mark.parametrize(
    ("ours", "torchs"), [row[::2] for row in WITNESSES.values()], ids=WITNESSES
)
def test_a_loss_is_that_of_pytorch(ours, torchs):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    found = torchs(torch.tensor, torch.nn.functional).numpy()
    np.testing.assert_allclose(ours(), found, rtol=1e-12)


OPTAX = {
    "squared_error": (LOGITS, OTHERS),
    "l2_loss": (LOGITS, OTHERS),
    "huber_loss": (LOGITS, OTHERS),
    "softmax_cross_entropy": (LOGITS, PROBABILITIES),
    "softmax_cross_entropy_with_integer_labels": (LOGITS, INTEGERS),
    "sigmoid_binary_cross_entropy": (LOGITS, SIGMOID_LABELS),
    "kl_divergence": (LOG_PREDICTIONS, PROBABILITIES),
    "kl_divergence_with_log_targets": (LOG_PREDICTIONS, np.log(PROBABILITIES)),
    "smooth_labels": (PROBABILITIES, 0.3),
}


def test_every_loss_is_put_beside_optax():
    assert set(OPTAX) == set(losses.__all__)


@pytest.mark.parametrize("name", OPTAX)
def test_a_loss_is_that_of_optax_with_its_arguments(name):
    ours, theirs = getattr(losses, name), getattr(optax.losses, name)
    both = [
        [(p.name, p.kind, p.default) for p in inspect.signature(one).parameters.values()]
        for one in (ours, theirs)
    ]
    assert both[0] == both[1]
    arguments = [jnp.asarray(each) for each in OPTAX[name]]
    # optax subtracts a logit from the logarithm of the sum, of the size 10 both.
    np.testing.assert_allclose(ours(*arguments), theirs(*arguments), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "name",
    [name for name in OPTAX if "where" in inspect.signature(getattr(losses, name)).parameters],
)
def test_classes_that_take_no_part_are_left_out_as_in_optax(name):
    arguments = [jnp.asarray(each) for each in OPTAX[name]]
    # The label of an integer takes part: without it the loss is infinite here, and not there.
    where = jnp.asarray(WHERE | ONE_HOT.astype(bool))
    found = getattr(losses, name)(*arguments, where=where)
    with jax.numpy_dtype_promotion("standard"):
        expected = getattr(optax.losses, name)(*arguments, where=where)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("axis", [0, (0, 1), None])
def test_classes_may_stand_along_other_axes(axis):
    for name in ("softmax_cross_entropy", "kl_divergence", "kl_divergence_with_log_targets"):
        arguments = [jnp.asarray(each) for each in OPTAX[name]]
        found = getattr(losses, name)(*arguments, axis=axis)
        expected = getattr(optax.losses, name)(*arguments, axis=axis)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_integers_may_stand_along_another_axis():
    turned = losses.softmax_cross_entropy_with_integer_labels(LOGITS.T, INTEGERS, axis=0)
    straight = losses.softmax_cross_entropy_with_integer_labels(LOGITS, INTEGERS)
    np.testing.assert_allclose(turned, straight, rtol=1e-15)


def test_where_no_class_takes_part_the_loss_and_its_gradient_are_zero():
    where = jnp.zeros((5, 4), bool)
    for loss, labels in (
        (losses.softmax_cross_entropy, PROBABILITIES),
        (losses.softmax_cross_entropy_with_integer_labels, INTEGERS),
    ):
        total = lambda z, loss=loss, labels=labels: loss(z, labels, where=where).sum()  # noqa: E731
        value, slope = jax.value_and_grad(total)(jnp.asarray(LOGITS))
        assert float(value) == 0
        np.testing.assert_array_equal(slope, 0)


def test_the_cross_entropies_agree_where_they_meet():
    integer = losses.softmax_cross_entropy_with_integer_labels(LOGITS, INTEGERS)
    np.testing.assert_allclose(losses.softmax_cross_entropy(LOGITS, ONE_HOT), integer, rtol=1e-13)
    # Of two classes, the softmax of (z, 0) is the sigmoid of z.
    z, y = LOGITS[:, 0], SIGMOID_LABELS[:, 0]
    pairs = losses.softmax_cross_entropy(
        np.stack([z, np.zeros(5)], axis=1), np.stack([y, 1 - y], axis=1)
    )
    np.testing.assert_allclose(losses.sigmoid_binary_cross_entropy(z, y), pairs, rtol=1e-13)
    # Cross-entropy is entropy and divergence.
    divergence = losses.kl_divergence(LOG_PREDICTIONS, PROBABILITIES)
    entropy = scipy.stats.entropy(PROBABILITIES, axis=1)
    together = losses.softmax_cross_entropy(LOGITS, PROBABILITIES)
    np.testing.assert_allclose(divergence + entropy, together, rtol=1e-13)


def test_huber_becomes_the_half_square_and_the_modulus():
    errors = LOGITS - OTHERS
    wide = losses.huber_loss(LOGITS, OTHERS, delta=100.0)
    np.testing.assert_allclose(wide, losses.l2_loss(LOGITS, OTHERS), rtol=1e-14)
    narrow = losses.huber_loss(LOGITS, OTHERS, delta=1e-9) / 1e-9
    np.testing.assert_allclose(narrow, np.abs(errors), rtol=1e-7)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: losses.squared_error(np.ones(3), np.ones((3, 1))),
            ValueError,
            r"targets have the shape \(3, 1\), .* has the shape \(3,\)",
        ),
        (
            lambda: losses.softmax_cross_entropy(np.ones((2, 3)), np.ones(2)),
            ValueError,
            r"labels have the shape \(2,\)",
        ),
        (
            lambda: losses.softmax_cross_entropy_with_integer_labels(np.ones((2, 3)), [[0], [1]]),
            ValueError,
            r"labels must have the shape \(2,\) for logits of shape \(2, 3\), not \(2, 1\)",
        ),
        (
            lambda: losses.softmax_cross_entropy_with_integer_labels(np.ones((2, 3)), np.ones(2)),
            TypeError,
            "labels must be integers, not float64",
        ),
        (
            lambda: losses.softmax_cross_entropy_with_integer_labels(np.ones((2, 3)), [0, 3]),
            ValueError,
            "labels must be between 0 and 2, not 3",
        ),
        (
            lambda: losses.softmax_cross_entropy_with_integer_labels(np.ones((2, 3)), [-1, 0]),
            ValueError,
            "labels must be between 0 and 2, not -1",
        ),
        (
            lambda: losses.softmax_cross_entropy_with_integer_labels(np.ones((2, 3)), None),
            TypeError,
            "labels must be an array of numbers, not None",
        ),
        (
            lambda: losses.softmax_cross_entropy_with_integer_labels(np.ones((2, 3)), 0, None),
            TypeError,
            "axis must be one whole number, not None",
        ),
        (
            lambda: losses.softmax_cross_entropy(np.ones((2, 3)), np.ones((2, 3)), axis=1.5),
            TypeError,
            "axis must be a whole number or a tuple of them, not 1.5",
        ),
        (
            lambda: losses.softmax_cross_entropy(np.ones((2, 3)), np.ones((2, 3)), axis=(1, -1)),
            ValueError,
            r"axis must be different axes, not \(1, -1\)",
        ),
        (
            lambda: losses.softmax_cross_entropy(np.ones((2, 3)), np.ones((2, 3)), where=[0.5] * 3),
            TypeError,
            "where must be True or False for each entry, not float",
        ),
        (
            lambda: losses.kl_divergence(-np.ones((2, 3)), np.ones((2, 3)), where=[True] * 5),
            ValueError,
            r"where must be broadcast to the shape \(2, 3\)",
        ),
        (
            lambda: losses.squared_error(np.ones(2), np.ones(2) * 1j),
            TypeError,
            "targets must be real numbers, not complex",
        ),
        (
            lambda: losses.sigmoid_binary_cross_entropy(np.ones(2), [-1, 1]),
            ValueError,
            "labels must be between 0 and 1, not -1",
        ),
        (
            lambda: losses.kl_divergence(-np.ones(2), [-0.5, 1.5]),
            ValueError,
            "targets must be at least 0, not -0.5",
        ),
        (
            lambda: losses.kl_divergence(PROBABILITIES, PROBABILITIES),
            ValueError,
            "log_predictions must be at most 0, .* they are logarithms of probabilities",
        ),
        (
            lambda: losses.huber_loss(np.ones(2), delta=0.0),
            ValueError,
            "delta must be above 0, not 0",
        ),
        (
            lambda: losses.huber_loss(np.ones(2), delta=np.ones(3)),
            ValueError,
            r"delta must be broadcast to the shape \(2,\)",
        ),
        (
            lambda: losses.sigmoid_binary_cross_entropy(np.ones(2, int), np.ones(2)),
            TypeError,
            "logits must be real floating-point numbers, not int64",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("dtype", ["int8", "int32", "uint8"])
def test_in_a_program_a_label_that_is_no_class_has_the_loss_nan_and_no_gradient(dtype):
    loss = losses.softmax_cross_entropy_with_integer_labels
    signed = dtype != "uint8"
    labels = jnp.asarray([0, -1 if signed else 4, 4, 3, 100], dtype)
    found, slopes = jax.jit(jax.vmap(jax.value_and_grad(loss)))(jnp.asarray(LOGITS), labels)
    is_class = np.array([True, False, False, True, False])
    np.testing.assert_array_equal(np.isnan(found), ~is_class)
    np.testing.assert_array_equal(slopes[~is_class], 0)
    known = np.asarray(labels)[is_class]
    np.testing.assert_allclose(found[is_class], loss(LOGITS[is_class], known), rtol=1e-12)
    slope = jax.jit(jax.grad(lambda z, labels: jnp.where(is_class, loss(z, labels), 0).sum()))
    assert np.isfinite(slope(jnp.asarray(LOGITS), labels)).all()


def test_probabilities_that_rounding_has_put_above_1_are_taken():
    """Sums of bfloat16 probabilities, and their logarithms, are above 1 and 0 by up to 2⁻⁷."""
    certain = jnp.array([1 + 2**-7, 1.0], jnp.bfloat16)
    assert np.isfinite(losses.sigmoid_binary_cross_entropy(jnp.zeros(2), certain)).all()
    assert np.isfinite(losses.kl_divergence(jnp.log(certain), certain)).all()


@pytest.mark.parametrize("kind", [jnp.asarray, np.asarray, list])
@pytest.mark.parametrize(
    ("loss", "labels", "wrong"),
    [
        (losses.softmax_cross_entropy_with_integer_labels, [2, 0], [3, 0]),
        (lambda z, y: losses.sigmoid_binary_cross_entropy(z[:, 0], y), [1.0, 0.5], [1.5, 0.5]),
        (lambda z, y: losses.huber_loss(z[:, 0], delta=y), [1.0, 2.0], [0.0, 2.0]),
    ],
    ids=["integers", "binary", "huber"],
)
def test_a_traced_loss_may_hold_labels_that_are_known(loss, labels, wrong, kind):
    """Labels that are no argument of the program are computed with, and refused if wrong."""
    logits = jnp.asarray(np.random.default_rng(5).normal(size=(2, 3)))
    known, refused = kind(labels), kind(wrong)
    found = jax.jit(lambda z: loss(z, known))(logits)
    np.testing.assert_allclose(found, loss(logits, known), rtol=1e-6)
    if kind is jnp.asarray:  # JAX itself traces other arrays within a program
        with pytest.raises(ValueError, match=r"(labels|delta) must be"):
            jax.jit(lambda z: loss(z, refused))(logits)
