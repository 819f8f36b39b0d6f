"""One file per command of ``python -m deepkm``, most of them a rule of the workflow."""
