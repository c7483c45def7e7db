"""Examples of variants of Adam, of which parts hold what their flags change."""

import gdlab
from tests.contract.example import Example

EXAMPLES = {
    "adam_atan2": [Example(gdlab.adam_atan2(0.1, a=1.0, b=0.5))],
    "adamaxw": [Example(gdlab.adamaxw(0.1, weight_decay=0.0, eps_in_maximum=False))],
    "adamc": [
        Example(
            gdlab.adamc(0.1, weight_decay=0.1, mask="matrix", max_learning_rate=0.2), rests=False
        )
    ],
    "grams": [Example(gdlab.grams(0.1))],
    "lamb": [Example(gdlab.lamb(0.1), by_element=False)],
    "laprop": [Example(gdlab.laprop(0.1, eps_root=1e-3, learning_rate_in_momentum=True))],
    "nadamw": [Example(gdlab.nadamw(0.1, weight_decay=0.0, momentum_decay=0.1))],
    # One NaN is in the norm of its whole array.
    "novograd": [Example(gdlab.novograd(0.1), by_element=False, keeps_nan=False)],
    "padam": [
        Example(gdlab.padam(0.1), on_complex=None),
        Example(gdlab.padam(0.1, partial=0.25, amsgrad=False, bias_correction=False)),
    ],
    "qhadam": [Example(gdlab.qhadam(0.1, nu2=0.5))],
    "scale_by_adamax": [Example(gdlab.scale_by_adamax())],
    "scale_by_amsgrad": [
        Example(gdlab.scale_by_amsgrad(bias_correction_nu=False), on_complex=None)
    ],
    "scale_by_novograd": [
        Example(
            gdlab.scale_by_novograd(mu_dtype="bfloat16"),
            by_element=False,
            keeps_nan=False,
            on_complex=None,
        )
    ],
    "stable_adamw": [Example(gdlab.stable_adamw(0.1, weight_decay=0.0), by_element=False)],
}
