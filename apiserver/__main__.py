"""`python -m apiserver`."""

from apiserver.main import main

main()
