from . import deep
from .missing import nothing
data = 1
