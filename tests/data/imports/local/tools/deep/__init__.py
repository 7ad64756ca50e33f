from ..write import all
import requests
