#!/usr/bin/env python3
"""Dask workers that run in a pack.

    spack -D my-env pyvarium pack -o env.tar.gz
    tar -xOf env.tar.gz bin/pyvarium-run > pyvarium-run && chmod +x pyvarium-run
    python dask_workers.py env.tar.gz

What runs this needs only the same Python X.Y and the same dask, distributed and cloudpickle.
"""

import subprocess
import sys

from dask.distributed import Client, LocalCluster


def describe(number):
    """Runs in the pack: import there whatever it has."""
    import sys

    return number * number, sys.prefix


def main(pack):
    with LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address=None) as cluster:
        command = ["./pyvarium-run", "-e", pack, "--", "dask", "worker", cluster.scheduler_address]
        workers = subprocess.Popen([*command, "--nworkers", "2", "--nthreads", "1"])
        try:
            with Client(cluster) as client:
                client.wait_for_workers(2, timeout=120)
                client.get_versions(check=True)  # Complains where the two sides differ.
                results = client.gather(client.map(describe, range(8)))
        finally:
            workers.terminate()
            workers.wait()
    print(sum(square for square, _ in results), *sorted({prefix for _, prefix in results}))


if __name__ == "__main__":
    main(sys.argv[1])
