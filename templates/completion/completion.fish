# Completes 'spack pyvarium' in fish, besides what completes spack already.
# Made by 'spack pyvarium completion fish'; sourced after Spack's setup-env.fish, or put into
# ~/.config/fish/completions/spack.fish.

# Print what stands before the word that is completed: the environment's directory, and each word
# of the command.
function __pyvarium_parsed
    set -l words (commandline -opc)
    set -e words[1]
    set -l environment $SPACK_ENV
    while set -q words[1]
        switch $words[1]
            case -D --env-dir
                set environment $words[2]
                set -e words[1]
            case -e --env
                set environment @@environments/$words[2]
                set -e words[1]
            case -c -C --config --config-scope --color
                set -e words[1]
            case '-*'
            case '*'
                break
        end
        set -e words[1]
    end
    echo $environment
    string join -- \n $words
end

# Whether the word that is completed stands behind a command, the innermost one.
function __pyvarium_at
    set -l parsed (__pyvarium_parsed)
    test "$parsed[2]" = pyvarium; or return 1
    set -l key
    for word in $parsed[3..-1]
        set -l further (string trim -- "$key $word")
        contains -- "$further" $__pyvarium_commands; and set key $further
    end
    test "$key" = "$argv[1]"
end

function __pyvarium_no_command
    test (count (__pyvarium_parsed)) -lt 2
end

function __pyvarium_environments
    for manifest in @@environments/*/spack.yaml
        string replace -r '.*/([^/]+)/spack.yaml$' '$1' -- $manifest
    end
end

# Of both layers of the environment, by their files.
function __pyvarium_distributions
    set -l environment (__pyvarium_parsed)[1]
    set -l constraints $environment/.spack-env/pyvarium/constraints.txt
    test -r "$constraints"; and string replace -rf '==.*' '' <$constraints
    for path in $environment/.venv/lib/python3*/site-packages/*.dist-info
        string replace -r '.*/([^/-]+)-[^/]*$' '$1' -- $path | string replace -a _ -
    end
end

complete -c spack -n __pyvarium_no_command -f -a pyvarium -d 'layers of Spack and the index'
@@table
