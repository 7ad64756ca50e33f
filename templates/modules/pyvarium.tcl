#%Module1.0
## {{ mark }}
{# A template of a site can extend this one; see "Module files" in docs/reference.md for how to choose it.
   Values come as they are: write each of them through the filter "tcl". #}
{% block header %}
{% for line in whatis %}
module-whatis {{ line | tcl }}
{% endfor %}

proc ModulesHelp { } {
{% for line in help %}
    puts stderr {{ line | tcl }}
{% endfor %}
}
{% endblock %}

{% block procedures %}
# Set a variable (unset it, if no value is given) and restore it to the letter when unloaded. This
# is pushenv, which in Environment Modules 5.2 loses a value that has a colon, or all in a swap, and
# in Lmod 8.6 keeps what it has saved for ever, and saves another value in Tcl.
proc pyvarium-set {name args} {
    set there [info exists ::env($name)]
    if {$there} {
        set before $::env($name)
    }
    if {[info exists ::env(LMOD_VERSION_MAJOR)]} {
        set saved __LMOD_STACK_$name
        set entries {}
        if {[info exists ::env($saved)]} {
            set entries [split $::env($saved) :]
        }
        if {$there && ![llength $entries] && [module-info mode load]} {
            pushenv $name $before
        }
        pushenv $name [lindex $args 0]
        if {![llength $args]} {
            unsetenv $name
        }
        if {[module-info mode remove] && ([llength $entries] == 2 ||
                [llength $entries] == 3 && [lindex $entries 1] eq [lindex $entries 2])} {
            setenv $saved {}
        }
        # Lmod takes what it saves from here, after this file has been read. This interpreter knows
        # of no change in that of the command above, so it has to set before it can unset.
        set ::env($name) {}
        if {$there} {
            set ::env($name) $before
        } else {
            unset ::env($name)
        }
        return
    }
    set saved __PYVARIUM_SAVED_$name
    if {![module-info mode remove]} {
        if {$there && [module-info mode load]} {
            setenv $saved $before
        }
        if {[llength $args]} {
            setenv $name [lindex $args 0]
        } else {
            unsetenv $name
        }
    } elseif {[info exists ::env($saved)]} {
        unsetenv $name $::env($saved)
        setenv $saved {}
    } elseif {[llength $args]} {
        setenv $name [lindex $args 0]
        # What is loaded next in the same command would take it for the user's own.
        unset -nocomplain ::env($name)
    }
}

# An empty entry stands for the manual pages of the system. Where MANPATH has others, whoever set
# it has decided about those.
proc pyvarium-manuals {args} {
    if {[info exists ::env(MANPATH)]} {
        foreach entry [split $::env(MANPATH) :] {
            if {$entry ne "" && [lsearch -exact $args $entry] < 0} {
                return
            }
        }
    }
    append-path MANPATH {}
}
{% endblock %}

{% block conflict %}
# One environment at a time: Lmod swaps them, Environment Modules refuses the second.
if {[llength [info commands family]]} {
    family {{ family | tcl }}
{% if directory %}
} else {
    conflict {{ directory | tcl }}
{% endif %}
}
{% endblock %}

{% block checks %}
if {[module-info mode load]} {
    if {![file exists {{ python | tcl_file }}]} {
        puts stderr {{ missing | tcl }}
        break
    }
{% for variable, warning in hiding %}
    if {[info exists ::env({{ variable }})] && $::env({{ variable }}) ne ""} {
        puts stderr {{ warning | tcl }}
    }
{% endfor %}
}
{% endblock %}

{% block environment %}
{% for change in changes %}
{% if change.action in ("prepend", "append", "remove") %}
{{ change.action }}-path {% if change.separator != ":" %}--delim {{ change.separator | tcl }} {% endif %}
{{ change.name | tcl }} {{ change.value | tcl }}
{% elif change.action == "set" %}
pyvarium-set {{ change.name | tcl }} {{ change.value | tcl }}
{% else %}
pyvarium-set {{ change.name | tcl }}
{% endif %}
{% endfor %}
{% if manuals %}
pyvarium-manuals{% for one in manuals %} {{ one | tcl_file }}{% endfor %}

{% endif %}
{% endblock %}
{% block footer %}
{% endblock %}
