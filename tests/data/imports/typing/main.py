import typing as t
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import numpy
    from types_only import A
if t.TYPE_CHECKING and A:
    import pandas
if not TYPE_CHECKING:
    import click
else:
    import rich
