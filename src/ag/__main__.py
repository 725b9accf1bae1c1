"""`python -m ag` is the command `ag`."""

from .cli.main import main

main()
