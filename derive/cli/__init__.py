"""The command line: `derive list`, `show`, `gradient`, `explain`, `code`, `verify`. Heavy imports wait for the work."""

from .app import app, main

__all__ = ["app", "main"]
