"""The launcher behind kprism.py: makes the environment, then runs a command. Standard library only."""
