import click
import yaml
