"""Which replica takes a request: the strategies, and the selector around one of them."""

from vestri.selection.registry import STRATEGIES, BrokenStrategy
from vestri.selection.round_robin import RoundRobin
from vestri.selection.selector import Selector
from vestri.selection.strategy import Strategy
from vestri.selection.weighted_round_robin import WeightedRoundRobin

__all__ = ["STRATEGIES", "BrokenStrategy", "RoundRobin", "Selector", "Strategy", "WeightedRoundRobin"]
