# shellcheck shell=bash disable=SC2034  # sourced by the scripts of this folder, which use the variables
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly root python="$root/.venv/bin/python" ray="$root/.venv/bin/ray"
readonly port=6379 dashboard_port=8265
# Ray's session on this node; two clusters of one user on a node take two GMPO_CLUSTER_DIR and two ports.
readonly folder=${GMPO_CLUSTER_DIR:-/tmp/gmpo-ray-$UID}

# Ray takes commands from whoever reaches its ports and knows the token: every node and every command reads this file,
# Ray's own place for it, unless RAY_AUTH_TOKEN_PATH names another.
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=${RAY_AUTH_TOKEN_PATH:-$HOME/.ray/auth_token}
export RAY_USAGE_STATS_ENABLED=0

stop() {
    echo "$(basename "$0"): $1" >&2
    exit 2
}

answers() { # whether somebody listens at host $1, port $2
    "$python" -c 'import socket, sys; socket.create_connection(sys.argv[1:], 5)' "$1" "$2" 2>/dev/null
}

help_if_asked() { # prints the comment at the top of the script
    case ${1:-} in -h | --help)
        sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"
        exit 0
        ;;
    esac
    [[ -x $ray ]] || stop "there is no $ray: run scripts/setup.sh first."
}

make_token() {
    [[ -s $RAY_AUTH_TOKEN_PATH ]] || (
        umask 077
        mkdir -p "$(dirname "$RAY_AUTH_TOKEN_PATH")"
        "$python" -c 'import secrets; print(secrets.token_hex(32), end="")' >"$RAY_AUTH_TOKEN_PATH"
    )
    chmod 600 "$RAY_AUTH_TOKEN_PATH"
}

need_token() {
    [[ -s $RAY_AUTH_TOKEN_PATH ]] ||
        stop "there is no token in $RAY_AUTH_TOKEN_PATH: copy the head's file there, or set RAY_AUTH_TOKEN_PATH to it."
    [[ -z $(find -L "$RAY_AUTH_TOKEN_PATH" -perm /077) ]] ||
        stop "others can read the token in $RAY_AUTH_TOKEN_PATH: chmod 600 it."
}

own_address() { # the one that other nodes see: $1 where given
    local address=${1:-$(hostname -I 2>/dev/null | cut -d' ' -f1)}
    [[ -n $address ]] || stop "this machine's address was not found: name it."
    echo "$address"
}

take_address() { # [--address IP] [the rest]: into `address`, this machine's where it is left out, and `rest`
    local given=
    if [[ ${1:-} == --address ]]; then
        given=${2:-}
        [[ -n $given ]] || stop "--address needs this machine's address behind it."
        shift 2
    fi
    address=$(own_address "$given")
    rest=("$@")
}

start_ray() { # $@: options of `ray start`; later ones win
    local devices=()
    # Without a GPU: one logical device a node, and logical CPUs for the processes around it.
    nvidia-smi -L >/dev/null 2>&1 || devices=(--num-gpus=1 --num-cpus=16)
    [[ -z $(find "$folder" -maxdepth 1 -name 'session_*' 2>/dev/null) ]] ||
        stop "$folder is in use: run scripts/ray/stop.sh first, or set GMPO_CLUSTER_DIR to another folder."
    mkdir -p "$folder" && chmod 700 "$folder"
    RAY_START_HOOK=gmpo_verl.ray_start_hook.without_client_server \
        "$ray" start --disable-usage-stats --temp-dir="$folder" "${devices[@]}" "$@" >"$folder/start.log" 2>&1 ||
        { tail -n 20 "$folder/start.log" >&2 && stop "Ray did not start; its words are above."; }
}
