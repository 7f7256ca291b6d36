"""The workloads: one function each, grouped in files by what they are about."""

from . import data, programs, small, trees, volume
from .registry import WORKLOADS

__all__ = ["WORKLOADS", "data", "programs", "small", "trees", "volume"]
