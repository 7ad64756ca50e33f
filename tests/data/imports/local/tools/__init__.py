from .read import data
