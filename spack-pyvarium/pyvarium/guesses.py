# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
"""What to ask an index for where an import name is not installed: a guess, and said to be one.

What is installed tells by its own metadata where each module comes from; this is for what is not.
Most projects are called as they are imported. Those that are not are recorded, and some more stand
here, as do namespaces, below which each project is called by more of its name.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Mapping, Optional, Tuple

from packaging.utils import canonicalize_name

#: Import names and their projects, as they were recorded (``tests/record_guesses.py``).
RECORDED = Path(__file__).parent / "guesses.txt"
#: Kept by hand: what is not there, or is otherwise now; the longer ones for parts of namespaces.
_OWN: Mapping[str, str] = dict(
    pair.split("=")
    for pair in """
    _cffi_backend=cffi _pytest=pytest _ruamel_yaml=ruamel-yaml-clib _yaml=pyyaml absl=absl-py
    airflow=apache-airflow ansible=ansible-core antlr4=antlr4-python3-runtime
    AppKit=pyobjc-framework-cocoa argon2=argon2-cffi attr=attrs avro=avro-python3
    azure.common=azure-common azure.core=azure-core azure.identity=azure-identity Bio=biopython
    cairo=pycairo casacore=python-casacore cassandra=cassandra-driver clr=pythonnet
    consul=python-consul cpuinfo=py-cpuinfo Cryptodome=pycryptodomex cv2=opencv-python
    dbus=dbus-python decouple=python-decouple discord=discord-py distutils=setuptools
    django_filters=django-filter docx=python-docx engineio=python-engineio faiss=faiss-cpu
    ffmpeg=ffmpeg-python fitz=pymupdf Foundation=pyobjc-framework-cocoa gflags=python-gflags
    gi=pygobject gitlab=python-gitlab gnupg=python-gnupg google.api=googleapis-common-protos
    google.oauth2=google-auth google.protobuf=protobuf google.rpc=googleapis-common-protos
    google.type=googleapis-common-protos graphql=graphql-core grpc=grpcio grpc_status=grpcio-status
    grpc_tools=grpcio-tools iso639=iso-639 jks=pyjks jose=python-jose jsonrpc=json-rpc
    kafka=kafka-python keycloak=python-keycloak markdown_it=markdown-it-py mpl_toolkits=matplotlib
    multipart=python-multipart MySQLdb=mysqlclient nacl=pynacl nmap=python-nmap ogr=gdal
    opensearchpy=opensearch-py osgeo=gdal osr=gdal paste.deploy=pastedeploy pcre=python-pcre
    pkg_resources=setuptools playhouse=peewee pptx=python-pptx pwiz=peewee pylab=matplotlib
    pylsp=python-lsp-server pylsp_jsonrpc=python-lsp-jsonrpc pythoncom=pywin32 pywintypes=pywin32
    rapidjson=python-rapidjson rest_framework=djangorestframework rfc3339=pyrfc3339
    ruamel=ruamel-yaml sha3=pysha3 skbio=scikit-bio skimage=scikit-image skopt=scikit-optimize
    slack=slackclient snappy=python-snappy socks=pysocks speech_recognition=speechrecognition
    talib=ta-lib telegram=python-telegram-bot tlz=toolz umap=umap-learn usb1=libusb1 vlc=python-vlc
    vtkmodules=vtk whois=python-whois win32api=pywin32 win32com=pywin32 win32con=pywin32
    win32file=pywin32 wx=wxpython xdg=pyxdg Xlib=python-xlib yaml_include=pyyaml-include
    """.split()
)
#: Namespaces, and how a project below one is called by the next part of the name, or the next two.
NAMESPACES: Mapping[str, Tuple[str, int]] = {
    "airflow.providers": ("apache-airflow-providers-{}", 1),
    "azure": ("azure-{}", 2),
    "azure.mgmt": ("azure-mgmt-{}", 1),
    "backports": ("backports-{}", 1),
    "flask.ext": ("flask-{}", 1),
    "flufl": ("flufl-{}", 1),
    "google.cloud": ("google-cloud-{}", 1),
    "jaraco": ("jaraco-{}", 1),
    "llama_index": ("llama-index-{}", 1),
    "opentelemetry.exporter": ("opentelemetry-exporter-{}", 1),
    "opentelemetry.instrumentation": ("opentelemetry-instrumentation-{}", 1),
    "opentelemetry.sdk": ("opentelemetry-sdk", 0),
    "opentelemetry": ("opentelemetry-api", 0),
    "plone": ("plone-{}", 1),
    "repoze": ("repoze-{}", 1),
    "sphinxcontrib": ("sphinxcontrib-{}", 1),
    "zc": ("zc-{}", 1),
    "zope": ("zope-{}", 1),
}
#: Of Python 2, and programs that run scripts of theirs: no index has them.
_NOWHERE = frozenset(
    """
    BaseHTTPServer ConfigParser Cookie HTMLParser Queue SimpleHTTPServer SocketServer StringIO
    Tkinter UserDict __builtin__ __main__ anydbm bpy cPickle cStringIO commands cookielib copy_reg
    exceptions htmlentitydefs httplib idaapi maya md5 mod_python nuke pymel sets tkFileDialog
    tkMessageBox tkSimpleDialog ttk unreal urllib2 urlparse xmlrpclib
    """.split()
)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_]*[A-Za-z0-9])?", re.ASCII)


def guess(module: str) -> Optional[Tuple[str, str]]:
    """The import name and the project that a module probably belongs to; None for no idea."""
    projects = _projects()
    parts = module.split(".")
    prefixes = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    for prefix in prefixes:
        if prefix in projects:
            return prefix, projects[prefix]
        if prefix in NAMESPACES:
            pattern, more = NAMESPACES[prefix]
            rest = parts[prefix.count(".") + 1 :][:more]
            if more and not rest:
                return None  # The namespace itself, which no project is.
            return ".".join((prefix, *rest)), canonicalize_name(pattern.format("-".join(rest)))
    top = parts[0]
    if top in _NOWHERE or not _NAME.fullmatch(top):
        return None
    return top, canonicalize_name(top)


@functools.cache
def _projects() -> Mapping[str, str]:
    """The projects of import names that are not called as these."""
    lines = RECORDED.read_text("utf-8").splitlines()
    recorded = dict(line.split("=") for line in lines if not line.startswith("#"))
    return {**recorded, **_OWN}
