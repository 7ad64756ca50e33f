import contextlib
try:
    import ujson as json
except ImportError:
    import json
try:
    import numpy
except ModuleNotFoundError:
    raise SystemExit("needs numpy")
try:
    import click
except (ImportError, OSError):
    try:
        import typer
    except ImportError:
        typer = None
with contextlib.suppress(ImportError):
    import rich
try:
    import requests
except OSError:
    requests = None
