# shellcheck shell=bash
# What train.sbatch and evaluate.sbatch share, sourced by them: what the job has, how a step is started on its nodes,
# and the job's beginning and end.

say() { printf 'slurm: %s\n' "$*"; }

stop() {
    say "$*" >&2
    exit 2
}

# --dry-run [--nodes=N] [--gpus-per-node=N] may stand before the arguments; the two stand for what sbatch would be given.
read_dry_run() {
    dry_run=
    if [[ ${1:-} == --dry-run ]]; then
        dry_run=yes
        shift
        while [[ ${1:-} =~ ^--(nodes|gpus-per-node)=([0-9]+)$ ]]; do
            if [[ ${BASH_REMATCH[1]} == nodes ]]; then dry_nodes=${BASH_REMATCH[2]}; else dry_gpus=${BASH_REMATCH[2]}; fi
            shift
        done
    fi
    # shellcheck disable=SC2034 # for the script that sources this
    arguments=("$@")
}

# The job's nodes, GPUs, folder, and how a command gets onto a node.
read_job() {
    if [[ -z ${SLURM_JOB_ID:-} && -z $dry_run ]]; then
        stop "this is no Slurm job: submit it with sbatch, or write --dry-run before the options to see what would run."
    fi
    if [[ -n ${dry_nodes:-} || -z ${SLURM_JOB_NODELIST:-} ]]; then
        mapfile -t nodes < <(seq -f 'node%g' "${dry_nodes:-1}")
    else
        mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
    fi
    gpus=${dry_gpus:-${SLURM_GPUS_ON_NODE:-0}}
    attempt=${SLURM_RESTART_COUNT:-0}
    folder=$(realpath --canonicalize-missing "${GMPO_LOGS:-outputs/slurm}")/${SLURM_JOB_ID:-JOB}-$attempt
    python=${GMPO_PYTHON:-$home/.venv/bin/python}
    read_container
    if [[ -z ${GMPO_CONTAINER:-} && ! -x $python ]]; then
        stop "$python does not exist: run scripts/setup.sh in $home, or name another with GMPO_PYTHON=/path/to/python."
    fi
}

# GMPO_CONTAINER=pyxis:IMAGE or apptainer:IMAGE; GMPO_MOUNTS=/data,/models are seen in it too, at the same place.
read_container() {
    srun_options=() wrapper=()
    [[ -n ${GMPO_CONTAINER:-} ]] || return 0
    python=${GMPO_PYTHON:-python}
    local mounts=$PWD:$PWD,$home:$home more one
    IFS=, read -ra more <<<"${GMPO_MOUNTS:-}${GMPO_LOGS:+,$folder}${HF_HOME:+,$HF_HOME}"
    for one in "${more[@]}"; do
        mounts+=${one:+,$one:$one}
    done
    case $GMPO_CONTAINER in
        pyxis:?*)
            srun_options=("--container-image=${GMPO_CONTAINER#*:}" "--container-mounts=$mounts" "--container-workdir=$PWD")
            ;;
        apptainer:?*)
            wrapper=(apptainer exec --bind "$mounts" --pwd "$PWD")
            ((gpus == 0)) || wrapper+=(--nv)
            wrapper+=("${GMPO_CONTAINER#*:}")
            ;;
        *) stop "GMPO_CONTAINER=$GMPO_CONTAINER says not what runs it: write pyxis:IMAGE or apptainer:IMAGE." ;;
    esac
}

# Puts into `step` the command that runs "${@:2}" on the nodes $1 (names with commas), once on each.
on_nodes() {
    local count=${1//[^,]/}
    count=$((${#count} + 1))
    # Without --overlap a step would wait for the other one; without the next two it may get one core and its memory.
    step=(srun --overlap --cpu-bind=none --mem=0 --kill-on-bad-exit=0 --wait=0 --export=ALL --input=none
        "--nodes=$count" "--ntasks=$count" --ntasks-per-node=1 "--nodelist=$1" "${srun_options[@]}")
    # The first node's output is the job's.
    [[ $1 == "${nodes[0]}"* ]] || step+=("--output=$folder/%N.log")
    step+=("${wrapper[@]}" "${@:2}")
}

others() { # the nodes but the first, with commas between
    local IFS=,
    echo "${nodes[*]:1}"
}

# The first node's address as the others see it: of GMPO_INTERFACE, or what its name stands for.
head_address() {
    local found
    if [[ -n ${GMPO_INTERFACE:-} ]]; then
        found=$(ip -4 -oneline address show dev "$GMPO_INTERFACE" 2>/dev/null | sed -n 's|.* inet \([0-9.]*\)/.*|\1|p' | head -n 1)
        [[ -n $found ]] || stop "GMPO_INTERFACE=$GMPO_INTERFACE has no address on ${nodes[0]}: name one of $(ls -m /sys/class/net)."
    else
        found=$(getent ahostsv4 "${nodes[0]}" | sed -n '/^127\./!{s/ .*//p;q}')
        # A name that stands for the node itself alone (127.0.1.1): any address of its own.
        [[ -n $found ]] || found=$(hostname -I | sed 's/ .*//')
        [[ -n $found ]] || stop "${nodes[0]} has no address that the other nodes can reach: name its network with GMPO_INTERFACE=eth0, say."
    fi
    echo "$found"
}

# A port that nobody listens on; jobs on one node begin to look at different ones.
free_port() { # $1: address
    local port=$((20000 + SLURM_JOB_ID % 10000))
    while (exec 3<>"/dev/tcp/$1/$port") 2>/dev/null; do
        port=$((port + 1))
    done
    echo "$port"
}

# What a dry run shows of a step: the command, and what it starts.
show_step() { # $1: nodes; the rest: the command on them
    on_nodes "$@"
    local word
    printf '\non %s:\n ' "$1"
    for word in "${step[@]}"; do
        if [[ $word =~ ^[A-Za-z0-9_@%+=:,./-]+$ ]]; then printf ' %s' "$word"; else printf ' %q' "$word"; fi
    done
    printf '\nwhich starts:\n'
    as_here "${@:3:2}" --show "${@:5}"
}

# Runs Python with these arguments on this machine, for a dry run.
as_here() {
    if [[ -n ${GMPO_CONTAINER:-} ]]; then
        echo "  (known in the container)"
    else
        "$python" "$@" | sed 's/^/  /'
    fi
}

# From here on what is printed is kept in the attempt's log too. SIGUSR1 (the time limit is near) calls ask_to_save,
# which the script defines; SIGTERM is for the steps.
begin_job() {
    mkdir -p "$folder"
    # What the steps say about SIGTERM has still to be written.
    exec > >(trap '' TERM INT USR1 && exec tee --append "$folder/job.log") 2>&1
    log=$! asked=''
    trap 'ask_to_save' USR1
    trap 'asked=TERM' TERM
    say "job $SLURM_JOB_ID, attempt $attempt, on ${nodes[*]}; logs in $folder"
}

# Waits for a step, through any number of signals; its exit code is then in `code`.
wait_for() { # $1: its process; ${@:2}: a command to call every second
    while kill -0 "$1" 2>/dev/null; do
        "${@:2}"
        sleep 1 &
        wait $! || true
    done
    wait "$1" && code=0 || code=$?
}

# For a run that has saved and wants to go on later.
queue_again() {
    local previous=${folder%-*}-$((attempt - 1))
    if [[ -e $folder/no_step && -e $previous/no_step ]]; then
        say "two attempts ended before they had trained a step: give the job more time (sbatch --time=...) and submit it again."
    elif scontrol requeue "$SLURM_JOB_ID"; then
        say "attempt $attempt has ended in time; the job is queued again and goes on by itself."
    else
        say "attempt $attempt has ended in time, and Slurm does not take the job back: submit it again to go on."
    fi
}

# The job's end: queued again where the run has saved and wants to go on later (75), else the exit code.
end_job() { # $1: the exit code of the work
    local code=$1
    [[ $asked != TERM ]] || code=143
    rm -f "$folder/token"
    if ((code == 75)); then
        queue_again
    elif ((code != 0)); then
        say "attempt $attempt ended with exit code $code; logs in $folder."
    fi
    trap - USR1 TERM
    exec >&- 2>&-
    wait "$log" || true
    exit "$code"
}
