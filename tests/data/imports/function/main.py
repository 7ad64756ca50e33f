import numpy as np
import pandas
import requests
from yaml import load
import rich

LIMIT = np.pi

def helper():
    return load

class Task:
    def run(self):
        return self.get()

    async def get(self):
        import httpx
        pandas = LIMIT
        return requests, helper(), pandas

def other():
    return rich
