"""`python -m vestri.config.manual markdown > docs/configuration.md`, and the same with yaml for config/full.yaml."""

import sys

from vestri.config.manual import commented, markdown

FORMS = {"markdown": markdown.manual, "yaml": commented.manual}


def main(arguments):
    """The exit status: 2 where no form of the manual is named."""
    if len(arguments) != 1 or arguments[0] not in FORMS:
        sys.stderr.write(f"usage: python -m vestri.config.manual {'|'.join(FORMS)}\n")
        return 2
    sys.stdout.write(FORMS[arguments[0]]())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
