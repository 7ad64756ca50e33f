# Puts an environment's two layers in front: its .venv, then what Spack provides.
# Source it, in any POSIX shell; `deactivate` undoes it. Made by `spack pyvarium`, which writes it
# anew: changes to it are lost.

case ${ZSH_EVAL_CONTEXT-} in
    *file*) ;; # In zsh $0 is this file also where it is sourced.
    *)
        if [ "$0" -ef @file ] 2> /dev/null; then
            printf '%s\n' @not_sourced >&2
            exit 2
        fi
        ;;
esac

if [ ! -x @python ]; then
    printf '%s\n' @missing >&2
    return 1 2> /dev/null || exit 1
fi

# Whatever is active goes first, an ordinary venv too. A program of that name is no function.
if [ -n "${VIRTUAL_ENV+set}${_PYVARIUM_SET+set}" ] &&
    [ "$(unalias deactivate 2> /dev/null || :; command -v deactivate)" = deactivate ]; then
    \deactivate
fi

# An alias would stand in the way of the function.
if _PYVARIUM_ALIAS=$(alias deactivate 2> /dev/null); then
    unalias deactivate
else
    unset _PYVARIUM_ALIAS
fi

_pyvarium_is_exported () {
    if [ -n "${ZSH_VERSION-}" ]; then # It lists PATH in another manner.
        eval "case \${(t)$1-} in *-export*) return 0 ;; *) return 1 ;; esac"
    fi
    case $_pyvarium_list in
        *"
export $1="* | *"
export $1
"* | *"
declare -x $1="* | *"
declare -x $1
"* | *"
typeset -x $1="* | *"
typeset -x $1
"*) return 0 ;;
    esac
    return 1
}

_pyvarium_restore () {
    case $_PYVARIUM_EXPORTED in
        *" $1 "*) ;;
        *)
            if [ -n "${ZSH_VERSION-}" ]; then # PATH would lose its meaning by unset.
                typeset -g +x "$1"
            else
                unset "$1"
            fi
            ;;
    esac
    case $_PYVARIUM_SET in
        *" $1 "*) eval "$1=\$_OLD_VIRTUAL_$1" ;;
        *) unset "$1" ;;
    esac
    case $_PYVARIUM_EXPORTED in
        *" $1 "*) export "$1" ;;
    esac
    unset "_OLD_VIRTUAL_$1"
}

_pyvarium_deactivate () {
    _pyvarium_restore PATH
    _pyvarium_restore PYTHONPATH
    _pyvarium_restore PYTHONHOME
    _pyvarium_restore VIRTUAL_ENV
    _pyvarium_restore VIRTUAL_ENV_PROMPT
    case $_PYVARIUM_SET in
        *" PS1 "*) _pyvarium_restore PS1 ;;
    esac
    unset _PYVARIUM_SET _PYVARIUM_EXPORTED
    unset -f deactivate _pyvarium_deactivate _pyvarium_restore
    if [ -n "${_PYVARIUM_ALIAS+set}" ]; then
        eval "alias ${_PYVARIUM_ALIAS#alias }"
        unset _PYVARIUM_ALIAS
    fi
    hash -r 2> /dev/null || :
}

# ksh reads all of a file before it runs the first line, and would expand an alias of that name.
eval 'deactivate () { _pyvarium_deactivate; }'

# The former values have the names that venv uses, so that a venv that is activated over this one
# finds them and puts them back.
_PYVARIUM_SET=" "
_PYVARIUM_EXPORTED=" "
_pyvarium_list="
$(export -p)
"
for _pyvarium_name in PATH PYTHONPATH PYTHONHOME VIRTUAL_ENV VIRTUAL_ENV_PROMPT PS1; do
    if [ "$_pyvarium_name" = PS1 ]; then
        if [ -z "${PS1+set}" ] || [ -n "${VIRTUAL_ENV_DISABLE_PROMPT-}" ]; then
            continue
        fi
    fi
    eval "_OLD_VIRTUAL_$_pyvarium_name=\${$_pyvarium_name-}"
    if eval "[ -n \"\${$_pyvarium_name+set}\" ]"; then
        _PYVARIUM_SET="$_PYVARIUM_SET$_pyvarium_name "
    fi
    if _pyvarium_is_exported "$_pyvarium_name"; then
        _PYVARIUM_EXPORTED="$_PYVARIUM_EXPORTED$_pyvarium_name "
    fi
done

PATH=@path${PATH:+:$PATH}
VIRTUAL_ENV=@venv
VIRTUAL_ENV_PROMPT=@prompt
export PATH VIRTUAL_ENV VIRTUAL_ENV_PROMPT
# With PYTHONPATH, as `spack env activate` may set it, the lower layer would hide the upper one.
unset PYTHONPATH PYTHONHOME
case $_PYVARIUM_SET in
    *" PS1 "*) PS1=@prefix$PS1 ;;
esac

unset _pyvarium_list _pyvarium_name
unset -f _pyvarium_is_exported
hash -r 2> /dev/null || :
