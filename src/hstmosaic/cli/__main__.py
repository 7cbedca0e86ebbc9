"""``python -m hstmosaic.cli``."""

from hstmosaic.cli import main

main()
