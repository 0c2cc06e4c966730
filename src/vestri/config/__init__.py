"""The configuration file: YAML to the model, with the line and column of every fault."""

from vestri.config.loading import load, read

__all__ = ["load", "read"]
