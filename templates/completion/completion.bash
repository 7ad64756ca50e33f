# Completes 'spack pyvarium' in bash; all else is left to what completed spack before.
# Made by 'spack pyvarium completion bash'; sourced after Spack's setup-env.sh.

# What may stand behind a command ($1) or its option ($2).
__pyvarium_known() {
    below='' options='' kind=text value='' choices=''
    case "$1" in
@@table
    esac
}

__pyvarium_environments() {
    local manifest
    for manifest in @@environments/*/spack.yaml; do
        [ -e "$manifest" ] || continue
        manifest=${manifest%/spack.yaml}
        printf '%s\n' "${manifest##*/}"
    done
}

# The distributions of the environment in $1, of both layers, by their files.
__pyvarium_distributions() {
    local path
    sed -n 's/==.*//p' "$1/.spack-env/pyvarium/constraints.txt" 2>/dev/null
    for path in "$1"/.venv/lib/python3*/site-packages/*.dist-info; do
        path=${path##*/}
        path=${path%%-*}
        [ "$path" = '*.dist' ] || printf '%s\n' "${path//_/-}"
    done
}

__pyvarium_reply() {
    local line
    while IFS= read -r line; do
        COMPREPLY+=("$line")
    done < <("$@")
}

# $1: what a word may be.
__pyvarium_complete() {
    case "$1" in
    choice) __pyvarium_reply compgen -W "$choices" -- "$current" ;;
    file) compopt -o filenames; __pyvarium_reply compgen -f -- "$current" ;;
    directory) compopt -o filenames; __pyvarium_reply compgen -d -- "$current" ;;
    environment)
        __pyvarium_reply compgen -W "$(__pyvarium_environments)" -- "$current"
        compopt -o filenames
        __pyvarium_reply compgen -d -- "$current"
        ;;
    distribution)
        __pyvarium_reply compgen -W "$(__pyvarium_distributions "$environment" | sort -u)" \
            -- "$current"
        ;;
    esac
}

__pyvarium_spack() {
    local current=${COMP_WORDS[COMP_CWORD]} environment=${SPACK_ENV:-} key='' at=0 index word last
    local below options kind value choices
    local -a words
    # By blanks alone: bash itself also splits at colons and equals signs.
    read -ra words <<<"${COMP_LINE:0:COMP_POINT}"
    [[ ${COMP_LINE:0:COMP_POINT} != *[[:space:]] ]] || words+=('')
    last=$((${#words[@]} - 1))
    for ((index = 1; index < last; index++)); do
        word=${words[index]}
        case "$word" in
        -D | --env-dir) environment=${words[++index]} ;;
        -e | --env) environment=@@environments/${words[++index]} ;;
        -c | -C | --config | --config-scope | --color) ((++index)) ;;
        -*) ;;
        *) at=$index && break ;;
        esac
    done
    if [ "$at" = 0 ] || [ "${words[at]}" != pyvarium ]; then
        [ -z "$__pyvarium_before" ] || "$__pyvarium_before" "$@"
        if [ "$at" = 0 ] && [ "$index" = "$last" ] && [[ $current != -* ]]; then
            __pyvarium_reply compgen -W pyvarium -- "$current"
        fi
        return
    fi
    __pyvarium_known ''
    for ((index = at + 1; index < last; index++)); do
        word=${words[index]}
        if [[ " $below " == *" $word "* ]]; then
            key="${key:+$key }$word"
            __pyvarium_known "$key"
        fi
    done
    COMPREPLY=()
    __pyvarium_known "$key" "${words[last - 1]}"
    if [ -n "$value" ]; then
        __pyvarium_complete "$value"
    elif [[ $current == -* ]]; then
        __pyvarium_reply compgen -W "$options" -- "$current"
    elif [ -n "$below" ]; then
        __pyvarium_reply compgen -W "$below" -- "$current"
        __pyvarium_complete "$kind"
    else
        __pyvarium_complete "$kind"
    fi
}

if [ "${__pyvarium_before-unset}" = unset ]; then
    __pyvarium_before=$(complete -p spack 2>/dev/null | sed -n 's/.* -F \([^ ]*\) .*/\1/p')
fi
complete -F __pyvarium_spack spack
