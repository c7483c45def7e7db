"""A method for matrices combined with AdamW for other parameters."""

from gdlab.checks.kinds import StorageDType
from gdlab.core.by_leaf import ByLeaf, Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation
from gdlab.core.wiring import chain
from gdlab.optimizers.adaptive.adam import adamw
from gdlab.transforms.groups.masking import partition
from gdlab.transforms.matrices.matrix_axes import MatrixLabels
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.scaling import scale_by_learning_rate


def descended(
    direction: GradientTransformation,
    learning_rate: Hyperparameter,
    weight_decay: Hyperparameter,
    mask: Mask,
) -> GradientTransformation:
    """A direction of ascent, with decoupled weight decay and a learning rate."""
    decay = add_decayed_weights(weight_decay, mask)
    return chain(direction, decay, scale_by_learning_rate(learning_rate))


def beside_adamw(
    name: str,
    matrices: GradientTransformation,
    axes: ByLeaf,
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative | None = None,
    mu_dtype: StorageDType | None = None,
    weight_decay: Hyperparameter = 0.0,
) -> GradientTransformation:
    """``matrices`` for the leaves that ``axes`` says are matrices, AdamW for the rest.

    The groups are called ``name`` and "adam". The other arguments are those of AdamW.
    """
    others = adamw(learning_rate, b1, b2, eps, eps_root, mu_dtype, weight_decay)
    return partition({name: matrices, "adam": others}, MatrixLabels(axes, name, "adam"))
