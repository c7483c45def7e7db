"""Train over a loader with a worker process, and print how many there are, and are left."""

import multiprocessing
import sys


def torch_loader(images, labels):
    import torch

    data = torch.utils.data.TensorDataset(torch.from_numpy(images), torch.from_numpy(labels))
    return torch.utils.data.DataLoader(
        data,
        8,
        num_workers=1,
        multiprocessing_context="spawn",
        persistent_workers=sys.argv[1] == "persistent",
    )


def grain_dataset(images, labels):
    import grain
    from absl import flags

    flags.FLAGS.mark_as_parsed()
    examples = grain.MapDataset.source(list(zip(images, labels, strict=True))).batch(8)
    options = grain.multiprocessing.MultiprocessingOptions(num_workers=1)
    return examples.to_iter_dataset().mp_prefetch(options)


def main():
    import gdlab
    from tests.interop.loaders.digits import IMAGES, LABELS, cross_entropy, start

    make = grain_dataset if sys.argv[1] == "grain" else torch_loader
    loader = make(IMAGES, LABELS)
    at_work = []

    def loss(params, batch):
        at_work.append(len(multiprocessing.active_children()))
        return cross_entropy(params, batch)

    run = gdlab.minimize(loss, start(), gdlab.sgd(0.1), 5, data=loader)
    print(max(at_work), len(multiprocessing.active_children()), flush=True)
    rates = gdlab.Axis("learning_rate", [0.1, 0.2])
    both = {"one": gdlab.sgd(rates), "other": gdlab.sgd(rates)}
    result = gdlab.sweep(cross_entropy, start(), both, loader, steps=5, progress=False)
    print(float(abs(result.loss[:, 0, 0] - run.values).max()), flush=True)
    print(len(multiprocessing.active_children()))


if __name__ == "__main__":
    main()
