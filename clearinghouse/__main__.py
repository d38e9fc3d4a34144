"""``python -m clearinghouse``: the same program as the ``clearinghouse`` command."""

from clearinghouse.cli.main import main

if __name__ == "__main__":
    main()
