import json
import subprocess
import sys
from argparse import ArgumentParser

from vestri.commands import schema
from vestri.config.json_schema import json_schema


def test_the_schema_is_printed_as_json(capsys):
    parser = ArgumentParser()
    schema.add_arguments(parser)
    assert schema.run(parser.parse_args([])) == 0
    output, errors = capsys.readouterr()
    assert json.loads(output) == json_schema()
    assert errors == ""


def test_the_command_needs_no_reactor():
    program = (
        "import sys; from vestri.commands import schema; schema.run(None);"
        "sys.exit('twisted.internet.reactor' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert ran.returncode == 0, ran.stderr.decode()
