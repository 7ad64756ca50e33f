import google.auth
from google.cloud import storage
import google.cloud.bigquery
from ruamel import yaml
import zope.interface
