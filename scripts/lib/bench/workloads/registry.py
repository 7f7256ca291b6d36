"""How a workload is described."""

from collections.abc import Callable
from dataclasses import dataclass

WORKLOADS = []


@dataclass
class Workload:
    name: str
    unit: str
    work: Callable
    # Milliseconds for each request; the first is the one of --quick.
    delays: tuple
    # Needs what is there after a remount.
    cold: bool
    # Only of hushfs: what peers do not have, or would take hours for.
    ours: bool
    # In --quick, for peers too.
    quick_peers: bool
    # In the full form only of hushfs: to make the volume would take the others longer than everything else.
    alone_in_full: bool
    # A figure to reach compares it with another system; in --quick only these are repeated with others than hushfs.
    figure: bool
    # Cold is told from warm by what the kernel has forgotten, so FUSE in memory is a limit of it.
    floor: bool


def workload(name, unit, delays=(0,), cold=False, ours=False, quick_peers=False, alone_in_full=False, figure=False,
             floor=False):
    """Registers a function that takes a Run."""
    def register(work):
        WORKLOADS.append(Workload(name, unit, work, delays, cold, ours, quick_peers, alone_in_full, figure, floor))
        return work
    return register
