import tools.read
from tools import write
import alone
import numpy
