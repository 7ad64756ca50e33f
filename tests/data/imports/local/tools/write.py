from ..main import gone
import click
