"""The manual, written from the table of keys: docs/configuration.md and config/full.yaml."""
