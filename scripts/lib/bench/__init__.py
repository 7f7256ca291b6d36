"""The parts of scripts/bench. Standard library only."""
