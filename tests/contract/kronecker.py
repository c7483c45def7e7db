"""Examples of methods with a preconditioner for each axis."""

import gdlab
from tests.contract.example import Example

EXAMPLES = {
    "scale_by_kronecker_roots": [
        Example(gdlab.scale_by_kronecker_roots(0.9, 0.1, block_size=2, every=2)),
    ],
    "shampoo": [
        # The length of a grafted step is that of a whole array.
        Example(
            gdlab.shampoo(0.1, eps=0.1, momentum=0.9, graft=gdlab.scale_by_adam(), start=2),
            keeps_nan=False,
            by_element=False,
        ),
    ],
    "caspr": [Example(gdlab.caspr(0.1, eps=0.1))],
    "in_eigenbasis": [Example(gdlab.in_eigenbasis(gdlab.ema(0.9), every=2))],
    "scale_by_mean_dimension": [Example(gdlab.scale_by_mean_dimension())],
    "scale_by_soap": [Example(gdlab.scale_by_soap(eps=0.1, every=2, statistics="kl"))],
    "soap": [Example(gdlab.soap(0.1, eps=0.1, mask="matrix", every=2), rests=False)],
    "splus": [Example(gdlab.splus(0.1, weight_decay=0.0, every=2))],
    "wait": [Example(gdlab.wait(gdlab.debias(gdlab.ema(0.9)), 2))],
    # Probes and factors are of real numbers.
    "kl_shampoo": [
        Example(
            gdlab.kl_shampoo(0.1, eps=0.1, every=2, block_size=2), by_element=False, keeps_nan=False
        )
    ],
    # Whether there has been a gradient is told of a whole array.
    "scale_by_kl_factors": [
        Example(gdlab.scale_by_kl_factors(eps=0.1), by_element=False, keeps_nan=False)
    ],
    "kron": [
        Example(
            gdlab.kron(0.1, preconditioner_update_probability=0.5),
            on_complex=None,
            keeps_nan=False,
            by_element=False,
            random=True,
        )
    ],
    "scale_by_kron": [
        Example(
            gdlab.scale_by_kron(), on_complex=None, keeps_nan=False, by_element=False, random=True
        )
    ],
}
