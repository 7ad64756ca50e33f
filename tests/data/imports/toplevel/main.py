import numpy
try:
    import ujson
except ImportError:
    ujson = None
if numpy:
    import click
def later():
    import pandas
if __name__ == "__main__":
    import rich
