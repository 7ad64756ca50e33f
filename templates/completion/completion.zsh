# Completes 'spack pyvarium' in zsh; all else is left to what completed spack before.
# Made by 'spack pyvarium completion zsh'; sourced after Spack's setup-env.sh.

# What may stand behind a command ($1) or its option ($2).
__pyvarium_known() {
    below=() options=() kind=text value='' choices=()
    case "$1" in
@@table
    esac
}

__pyvarium_environments() {
    local -a found
    found=(@@environments/*/spack.yaml(N:h:t))
    (( $#found )) && _describe -t environments environment found
}

# Of both layers of the environment, by their files.
__pyvarium_distributions() {
    local -aU found
    local -a installed
    local constraints="$environment/.spack-env/pyvarium/constraints.txt"
    [[ -r $constraints ]] && found=(${${(M)${(f)"$(<$constraints)"}:#*==*}%%==*})
    installed=($environment/.venv/lib/python3*/site-packages/*.dist-info(N:t))
    found+=(${installed%%-*})
    found=(${found//_/-})
    (( $#found )) && _describe -t distributions distribution found
}

# $1: what a word may be.
__pyvarium_complete() {
    case "$1" in
    choice) compadd -a choices ;;
    file) _files ;;
    directory) _files -/ ;;
    environment) __pyvarium_environments; _files -/ ;;
    distribution) __pyvarium_distributions ;;
    esac
}

__pyvarium_spack() {
    emulate -L zsh -o extended_glob
    local environment=${SPACK_ENV:-} key='' at=0 index=2 word
    local -a below options choices
    local kind value
    while (( index < CURRENT )); do
        word=${words[index]}
        case $word in
        -D|--env-dir) (( index++ )); environment=${(Q)words[index]} ;;
        -e|--env) (( index++ )); environment=@@environments/${words[index]} ;;
        -c|-C|--config|--config-scope|--color) (( index++ )) ;;
        -*) ;;
        *) at=$index; break ;;
        esac
        (( index++ ))
    done
    if (( ! at )) || [[ ${words[at]} != pyvarium ]]; then
        if (( ! at )) && (( index == CURRENT )) && [[ ${words[CURRENT]} != -* ]]; then
            compadd -- pyvarium
        fi
        if [[ -n $__pyvarium_before ]]; then
            emulate zsh
            ${(z)__pyvarium_before}
        fi
        return
    fi
    __pyvarium_known ''
    for (( index = at + 1; index < CURRENT; index++ )); do
        word=${words[index]}
        if (( ${below[(I)$word:*]} )); then
            key="${key:+$key }$word"
            __pyvarium_known "$key"
        fi
    done
    __pyvarium_known "$key" "${words[CURRENT - 1]}"
    if [[ -n $value ]]; then
        __pyvarium_complete $value
    elif [[ ${words[CURRENT]} == -* ]]; then
        _describe -o -t options option options
    elif (( $#below )); then
        _describe -t commands command below
        __pyvarium_complete $kind
    else
        __pyvarium_complete $kind
    fi
}

if (( ! $+functions[compdef] )); then
    autoload -U +X compinit && compinit -i
fi
if (( ! $+__pyvarium_before )); then
    typeset -g __pyvarium_before=${_comps[spack]-}
fi
compdef __pyvarium_spack spack
