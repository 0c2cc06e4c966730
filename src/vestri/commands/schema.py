"""`vestri schema`: the JSON Schema of the configuration file, for editors."""

import json

SUMMARY = "print the JSON Schema of the configuration file"


def add_arguments(parser):
    """It has none."""


def run(args):
    """Print the schema. Returns the exit status."""
    from vestri.config.json_schema import json_schema

    print(json.dumps(json_schema(), indent=2))
    return 0
