"""The options with which a sweep is executed."""

import dataclasses

from gdlab.progress.monitor import Monitor
from gdlab.sweeps.execute.tables import KeepParams
from gdlab.sweeps.persist.failsafe import FailsafeCheckpoint
from gdlab.sweeps.plan.policies import Policy
from gdlab.sweeps.settings import Checkpointing, Resources


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """The options of a sweep: policy, kept parameters, resources, checkpoints, progress."""

    policy: Policy | None
    keep_params: KeepParams
    resources: Resources
    checkpoint: FailsafeCheckpoint | None
    checkpointing: Checkpointing | None
    monitor: Monitor
