# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "pyyaml>=6",
#   "rich[jupyter]; python_version > '3'",
# ]
# ///
import yaml
import rich
import numpy
import odd_name
