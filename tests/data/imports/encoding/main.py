# -*- coding: latin-1 -*-
name = "é"
import numpy
import bom
