"""Let ``python -m lossdiag`` do what the ``lossdiag`` command does."""

from lossdiag.cli import main

if __name__ == "__main__":
    main()
