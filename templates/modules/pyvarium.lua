-- {{ mark }}
{# A template of a site can extend this one; see "Module files" in docs/reference.md for how to choose it.
   Values come as they are: write each of them through the filter "lua". #}
{% block header %}
{% for line in whatis %}
whatis({{ line | lua }})
{% endfor %}
help(table.concat({
{% for line in help %}
   {{ line | lua }},
{% endfor %}
}, "\n"))
{% if extensions %}
if (extensions) then
   extensions({{ extensions | lua }})
end
{% endif %}
{% endblock %}

{% block procedures %}
-- Set a variable (unset it, if the value is false) and restore it to the letter when unloaded. This
-- is pushenv, which in Lmod 8.6 keeps what it has saved for ever, and restores that the next time.
local function pyvarium_set(name, value)
   local saved = "__LMOD_STACK_" .. name
   local entries = {}
   for entry in (os.getenv(saved) or ""):gmatch("[^:]+") do
      entries[#entries + 1] = entry
   end
   local before = os.getenv(name)
   if (before and #entries == 0 and mode() == "load") then
      pushenv(name, before)
   end
   pushenv(name, value)
   if (mode() == "unload" and
       (#entries == 2 or (#entries == 3 and entries[2] == entries[3]))) then
      setenv(saved, "")
   end
end

-- An empty entry stands for the manual pages of the system. Where MANPATH has others, whoever set
-- it has decided about those.
local function pyvarium_manuals(ours)
   for entry in (os.getenv("MANPATH") or ""):gmatch("[^:]+") do
      if (not ours[entry]) then
         return
      end
   end
   append_path("MANPATH", "")
end
{% endblock %}

{% block conflict %}
-- One environment at a time: Lmod swaps them.
family({{ family | lua }})
{% endblock %}

{% block checks %}
if (mode() == "load") then
   if (not isFile({{ python | lua }})) then
      LmodError({{ missing | lua }})
   end
{% for variable, warning in hiding %}
   if ((os.getenv({{ variable | lua }}) or "") ~= "") then
      LmodMessage({{ warning | lua }})
   end
{% endfor %}
end
{% endblock %}

{% block environment %}
{% for change in changes %}
{% if change.action in ("prepend", "append", "remove") %}
{{ change.action }}_path({{ change.name | lua }}, {{ change.value | lua }}{% if change.separator != ":" %}, {{ change.separator | lua }}{% endif %})
{% elif change.action == "set" %}
pyvarium_set({{ change.name | lua }}, {{ change.value | lua }})
{% else %}
pyvarium_set({{ change.name | lua }}, false)
{% endif %}
{% endfor %}
{% if manuals %}
pyvarium_manuals({ {%- for one in manuals %}[{{ one | lua }}] = true, {% endfor -%} })
{% endif %}
{% endblock %}
{% block footer %}
{% endblock %}
