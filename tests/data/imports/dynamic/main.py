import importlib
from importlib import import_module as load
NAME = "click"
importlib.import_module("numpy" + ".linalg")
__import__("yaml")
def plugin(name):
    load(f"{NAME}.core")
    load(name)
    import_module = print
