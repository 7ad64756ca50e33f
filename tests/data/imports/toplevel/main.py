import numpy
try:
    import yaml
except ImportError:
    yaml = None
if numpy:
    import click
def later():
    import pandas
if __name__ == "__main__":
    import rich
