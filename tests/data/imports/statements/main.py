from __future__ import annotations
import os, numpy as np
import sklearn.linear_model
from yaml import *
from requests import get, \
    post
x = 1; import click
text = """
import in_a_string
"""
# import in_a_comment
