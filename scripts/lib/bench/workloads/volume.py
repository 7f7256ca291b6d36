"""The volume as a whole."""

import os
import time

from .registry import workload
from .trees import populated


def large(run):
    """The tree itself, where that is large enough."""
    count = run.sizes["volume"]
    return populated(run, "tree" if count == run.sizes["tree"] else "volume", count)


@workload("du of a large volume, cold", "entries", delays=(30, 0), cold=True, alone_in_full=True)
def usage(run):
    place = large(run)
    made = sum(len(names) for _, _, names in os.walk(place))
    run.cold()

    def work():
        run.command("du", "-s", place)
        return 0 if run.result.cut else made
    run.timed(work)


@workload("mount of a large volume", "mounts", delays=(30, 0), cold=True, alone_in_full=True, figure=True)
def mount(run):
    """From the command to the first listing of the root."""
    system = run.system
    large(run)
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
    run.timed(work, drained=False)
