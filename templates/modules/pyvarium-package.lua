{# For Spack's own module files, chosen in modules.yaml by lmod:all:template. What it has besides
   Spack's template: PYTHONPATH stays as it is, since it would come before every venv and
   environment; and what was loaded can be told to the hash. #}
{% extends "modules/modulefile.lua" %}
{% set environment_modifications = environment_modifications | rejectattr("1.name", "equalto", "PYTHONPATH") | list %}
{% block header %}
{{ super() }}
whatis([[Spec : {{ spec.name }}@{{ spec.version }}/{{ spec.dag_hash() }}]])
{% endblock %}
