"""A sweep whose processes are workers of Ray, on a cluster that lives as long as this script."""

import os
import pathlib
import socket
import sys

WORKERS = 2


class Worker:
    """A process of Ray that computes a part of the sweep."""

    def free_address(self):
        """An address at which the others can find this worker."""
        import ray

        with socket.socket() as free:
            free.bind(("", 0))
            return f"{ray.util.get_node_ip_address()}:{free.getsockname()[1]}"

    def train(self, address, number):
        """The result of the whole sweep, of which this worker computes a part."""
        import jax

        from gdlab import Resources
        from tests.sweeps.noisy import arrays_of
        from tests.sweeps.scripts.shared import run

        jax.config.update("jax_num_cpu_devices", 2)
        jax.distributed.initialize(address, WORKERS, number)
        mesh = jax.make_mesh((jax.device_count(),), ("lanes",))
        result = run("halving", resources=Resources(mesh=mesh))
        return jax.process_count(), jax.device_count(), arrays_of(result)


def main(folder):
    """Start the workers, and write what each returns to a file."""
    import numpy as np
    import ray

    names = ("PYTHONPATH", "JAX_PLATFORMS")
    environment = {name: os.environ[name] for name in names}
    ray.init(
        num_cpus=WORKERS,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": environment},
    )
    worker_of_ray = ray.remote(num_cpus=1)(Worker)
    workers = [worker_of_ray.remote() for _ in range(WORKERS)]
    address = ray.get(workers[0].free_address.remote())
    results = ray.get([worker.train.remote(address, n) for n, worker in enumerate(workers)])
    for number, (processes, devices, arrays) in enumerate(results):
        print("processes", processes, "devices", devices, flush=True)
        np.savez(folder / f"{number}.npz", **arrays)
    ray.shutdown()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
