"""The one place that says which Vestri this is."""

__version__ = "0.1.0"
