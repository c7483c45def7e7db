"""optax.contrib: gdlab's methods, with optax's defaults and a count in the state."""

from collections.abc import Callable
from typing import Any

import gdlab
from gdlab import (
    cocob,
    normalize,
    reduce_on_plateau,
    scale_by_cocob,
    schedule_free,
    schedule_free_adamw,
    schedule_free_sgd,
    split_real_and_imaginary,
)
from gdlab.interop.optax._adapting import adapted
from gdlab.interop.optax._curvature import hutchinson_estimator_diag_hessian, sophia
from gdlab.interop.optax._handed_on import handed_on, listed
from gdlab.interop.optax._matrices import (
    GaLoreDimensionNumbers,
    MuonDimensionNumbers,
    galore,
    muon,
    scale_by_galore,
    scale_by_muon,
)
from gdlab.interop.optax._noise import differentially_private_aggregate, dpsgd
from gdlab.interop.optax._sharpness import sam
from gdlab.interop.optax._tuning_free import dog, dowg, schedule_free_eval_params

__all__ = [
    "GaLoreDimensionNumbers",
    "MuonDimensionNumbers",
    "acprop",
    "ademamix",
    "adopt",
    "cocob",
    "dadapt_adamw",
    "differentially_private_aggregate",
    "dog",
    "dowg",
    "dpsgd",
    "galore",
    "hutchinson_estimator_diag_hessian",
    "madgrad",
    "mechanize",
    "momo",
    "momo_adam",
    "muon",
    "normalize",
    "prodigy",
    "reduce_on_plateau",
    "sam",
    "scale_by_acprop",
    "scale_by_ademamix",
    "scale_by_adopt",
    "scale_by_cocob",
    "scale_by_galore",
    "scale_by_madgrad",
    "scale_by_muon",
    "scale_by_simplified_ademamix",
    "schedule_free",
    "schedule_free_adamw",
    "schedule_free_eval_params",
    "schedule_free_sgd",
    "simplified_ademamix",
    "sophia",
    "split_real_and_imaginary",
]

acprop = adapted(gdlab.acprop, __name__)
ademamix = adapted(gdlab.ademamix, __name__, eps_root=0.0)
adopt = adapted(gdlab.adopt, __name__)
dadapt_adamw = adapted(gdlab.dadapt_adamw, __name__, bias_correction=True)
madgrad = adapted(gdlab.madgrad, __name__)
mechanize = adapted(gdlab.mechanize, __name__)
momo = adapted(gdlab.momo, __name__)
momo_adam = adapted(gdlab.momo_adam, __name__)
prodigy = adapted(gdlab.prodigy, __name__, bias_correction=True)
scale_by_acprop = adapted(gdlab.scale_by_acprop, __name__)
scale_by_ademamix = adapted(gdlab.scale_by_ademamix, __name__, eps_root=0.0)
scale_by_adopt = adapted(gdlab.scale_by_adopt, __name__)
scale_by_madgrad = adapted(gdlab.scale_by_madgrad, __name__)
scale_by_simplified_ademamix = adapted(gdlab.scale_by_simplified_ademamix, __name__, eps_root=0.0)
simplified_ademamix = adapted(gdlab.simplified_ademamix, __name__, eps_root=0.0)

__getattr__: Callable[[str], Any] = handed_on(__name__)
__dir__: Callable[[], list[str]] = listed(__name__)
