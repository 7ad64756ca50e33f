# Starts the kernel with the variables of its environment, whatever those of Jupyter are.
import json
import os
import sys

variables = {"PATH": os.defpath, **os.environ}
for name, action, value, separator in json.loads(sys.argv[1]):
    entries = [one for one in variables.pop(name, "").split(separator) if one and one != value]
    if action == "prepend":
        entries.insert(0, value)
    elif action == "append":
        entries.append(value)
    elif action in ("set", "unset"):
        entries = [value] * (action == "set")
    if entries:
        variables[name] = separator.join(entries)
os.execve(sys.executable, [sys.executable, "-m", "ipykernel_launcher", *sys.argv[2:]], variables)
