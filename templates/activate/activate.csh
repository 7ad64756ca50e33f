# Puts an environment's two layers in front: its .venv, then what Spack provides.
# Source it, in csh or tcsh; `deactivate` undoes it. Made by `spack pyvarium`, which writes it
# anew: changes to it are lost.

if ($?0) then
    if ("$0:t" == "activate.csh") then
        test "$0" -ef @file
        if ($status == 0) then
            sh -c 'printf "%s\n" "$0" >&2' @not_sourced
            exit 2
        endif
    endif
endif

if (-x @python) then
    # Whatever is active goes first, an ordinary venv too; its alias names the variable.
    set _pyvarium_alias = "`alias deactivate`"
    if ("$_pyvarium_alias" =~ *VIRTUAL_ENV*) then
        deactivate
        set _pyvarium_alias = "`alias deactivate`"
    endif

    # What `deactivate` has to do is decided here. The former PATH and prompt have the names that
    # venv uses, so that a venv that is activated over this one finds them and puts them back.
    set _pyvarium_undo = 'rehash'
    foreach _pyvarium_name (PYTHONPATH PYTHONHOME VIRTUAL_ENV VIRTUAL_ENV_PROMPT)
        printenv $_pyvarium_name >& /dev/null
        if ($status == 0) then
            set _pyvarium_old = _PYVARIUM_$_pyvarium_name
            eval 'set '$_pyvarium_old' = $'$_pyvarium_name':q'
            set _pyvarium_undo = 'setenv '$_pyvarium_name' $'$_pyvarium_old":q; unset $_pyvarium_old; $_pyvarium_undo"
        else
            set _pyvarium_undo = "unsetenv $_pyvarium_name; $_pyvarium_undo"
        endif
    end
    printenv PATH >& /dev/null
    if ($status == 0) then
        set _OLD_VIRTUAL_PATH = $PATH:q
        set _pyvarium_undo = 'setenv PATH $_OLD_VIRTUAL_PATH:q; unset _OLD_VIRTUAL_PATH; '"$_pyvarium_undo"
    else
        set _pyvarium_undo = "unsetenv PATH; $_pyvarium_undo"
    endif
    if ($#_pyvarium_alias) then
        set _PYVARIUM_ALIAS = $_pyvarium_alias:q
        set _pyvarium_undo = "$_pyvarium_undo"'; alias deactivate $_PYVARIUM_ALIAS:q; unset _PYVARIUM_ALIAS'
    else
        set _pyvarium_undo = "$_pyvarium_undo; unalias deactivate"
    endif

    setenv PATH @path
    if ($?_OLD_VIRTUAL_PATH) then
        if ("$_OLD_VIRTUAL_PATH" != "") setenv PATH "${PATH}:$_OLD_VIRTUAL_PATH"
    endif
    setenv VIRTUAL_ENV @venv
    setenv VIRTUAL_ENV_PROMPT @prompt
    # With PYTHONPATH, as `spack env activate` may set it, the lower layer would hide the upper one.
    unsetenv PYTHONPATH
    unsetenv PYTHONHOME

    set _pyvarium_show = $?prompt
    if ($?VIRTUAL_ENV_DISABLE_PROMPT) then
        if ("$VIRTUAL_ENV_DISABLE_PROMPT" != "") set _pyvarium_show = 0
    endif
    if ($_pyvarium_show) then
        set _OLD_VIRTUAL_PROMPT = $prompt:q
        set prompt = @prefix"$prompt"
        set _pyvarium_undo = "$_pyvarium_undo"'; set prompt = $_OLD_VIRTUAL_PROMPT:q; unset _OLD_VIRTUAL_PROMPT'
    endif

    alias deactivate $_pyvarium_undo:q
    unset _pyvarium_alias _pyvarium_undo _pyvarium_name _pyvarium_old _pyvarium_show
    rehash
endif
if (! -x @python) sh -c 'printf "%s\n" "$0" >&2; exit 1' @missing
