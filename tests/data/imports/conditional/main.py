import sys
if sys.version_info >= (3, 8):
    import numpy
else:
    import typed_ast
if sys.platform == "win32":
    import win32api
if len(sys.argv) > 1:
    import click
elif sys.argv:
    import rich
if __name__ == "__main__":
    import requests
