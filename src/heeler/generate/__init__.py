"""Realistic, seeded access-log traffic, for demonstrations, tests and benchmarks.

`batches` gives a file's worth of lines as fast as the machine can, `write_live` writes them as time passes. Both tell
the same story: what a `Traffic` and a start time give is decided by these two alone.
"""

from heeler.generate.lines import Block, batches, blocks
from heeler.generate.live import write_live
from heeler.generate.traffic import Spike, Traffic, parse_spike

__all__ = ["Block", "Spike", "Traffic", "batches", "blocks", "parse_spike", "write_live"]
