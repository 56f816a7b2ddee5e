# Sets up the shell function `conda`. The vendored copy of conda lacks its shell directory: this does what conda's own
# script does, for POSIX shells. CONDA_EXE is the conda to call; _CE_M and _CE_CONDA are set only when that is
# `python -m conda`.
__conda_exe() (
    "$CONDA_EXE" ${_CE_M:-} ${_CE_CONDA:-} "$@"
)

# Programs may lie elsewhere now: forget where they were.
__conda_hashr() {
    hash -r 2>/dev/null || :
}

__conda_activate() {
    if [ -n "${CONDA_PS1_BACKUP:+x}" ]; then
        PS1="$CONDA_PS1_BACKUP"
        unset CONDA_PS1_BACKUP
    fi
    local ask_conda
    ask_conda="$(PS1="${PS1:-}" __conda_exe shell.posix "$@")" || return
    eval "$ask_conda"
    __conda_hashr
}

conda() {
    local cmd="${1-__missing__}"
    case "$cmd" in
        activate | deactivate)
            __conda_activate "$@"
            ;;
        install | update | upgrade | remove | uninstall)
            __conda_exe "$@" || return
            __conda_activate reactivate
            ;;
        *)
            __conda_exe "$@"
            ;;
    esac
}

if [ -z "${CONDA_SHLVL+x}" ]; then
    export CONDA_SHLVL=0
    PATH="$(dirname "$(dirname "$CONDA_EXE")")/condabin:${PATH:-}"
    export PATH
    # Activation writes it, also where no prompt is.
    if [ -z "${PS1+x}" ]; then
        PS1=
    fi
fi
