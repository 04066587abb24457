"""`python -m fkp`."""

from fkp.cli.main import main

main()
