"""The commands of `python -m skin_ai`; each imports what it needs when it runs, so that --help is quick."""
