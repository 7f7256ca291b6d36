"""The volume as a whole."""

import time

from .registry import workload
from .trees import tree


@workload("mount of a large volume", "mounts", delays=(30, 0), cold=True)
def mount(run):
    """From the command to the first listing of the root."""
    system = run.system
    tree(run)
    system.drain()
    system.unmount()
    system.drop_caches()

    def work():
        system.mount()
        next(run.root.iterdir())
        return 1
    run.timed(work)


@workload("idle for a minute", "seconds", ours=True)
def idle(run):
    """What a mount costs while nobody uses it."""
    run.system.drain()

    def work():
        time.sleep(run.sizes["idle"])
        return run.sizes["idle"]
    run.timed(work)
