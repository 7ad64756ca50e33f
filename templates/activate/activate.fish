# Puts an environment's two layers in front: its .venv, then what Spack provides.
# Source it, in fish; `deactivate` undoes it. Made by `spack pyvarium`, which writes it anew:
# changes to it are lost.

if not status stack-trace | string match -qr .
    echo @not_sourced >&2
    exit 2
else if not test -x @python
    echo @missing >&2
    false
else
    # Whatever is active goes first, an ordinary venv too.
    if set -q VIRTUAL_ENV; or set -q _PYVARIUM_SET
        if functions -q deactivate
            deactivate
        end
    end

    # The former values have the names that venv uses, so that a venv that is activated over this
    # one finds them and puts them back. A universal variable is not touched, only hidden.
    set -g _PYVARIUM_SET
    set -g _PYVARIUM_EXPORTED
    for name in PATH PYTHONPATH PYTHONHOME VIRTUAL_ENV VIRTUAL_ENV_PROMPT
        if set -qg $name
            set -g _OLD_VIRTUAL_$name $$name
            set -a _PYVARIUM_SET $name
            if set -qgx $name
                set -a _PYVARIUM_EXPORTED $name
            end
        end
    end

    function deactivate --description 'Undo the activation of an environment'
        for name in PATH PYTHONPATH PYTHONHOME VIRTUAL_ENV VIRTUAL_ENV_PROMPT
            set -l old _OLD_VIRTUAL_$name
            if contains $name $_PYVARIUM_EXPORTED
                set -gx $name $$old
            else if contains $name $_PYVARIUM_SET
                set -gu $name $$old
            else
                set -eg $name
            end
            set -eg $old
        end
        set -eg _PYVARIUM_SET
        set -eg _PYVARIUM_EXPORTED
        if set -q _OLD_FISH_PROMPT_OVERRIDE
            set -eg _OLD_FISH_PROMPT_OVERRIDE
            functions -e fish_prompt
            functions -c _old_fish_prompt fish_prompt
            functions -e _old_fish_prompt
        end
        functions -e deactivate
    end

    set -gx PATH @path $PATH
    set -gx VIRTUAL_ENV @venv
    set -gx VIRTUAL_ENV_PROMPT @prompt
    # With PYTHONPATH, as `spack env activate` may set it, the lower layer would hide the upper one.
    for name in PYTHONPATH PYTHONHOME
        set -eg $name
        if set -q $name # A universal one: only what is exported hides it, and empty is as unset.
            set -gx $name
        end
    end

    if test -z "$VIRTUAL_ENV_DISABLE_PROMPT"; and functions -q fish_prompt
        set -g _OLD_FISH_PROMPT_OVERRIDE $VIRTUAL_ENV
        functions -c fish_prompt _old_fish_prompt
        function fish_prompt
            # Called first, it still sees the status of the last command.
            set -l former (_old_fish_prompt)
            printf %s @prefix
            printf '%s\n' $former
        end
    end
    true
end
