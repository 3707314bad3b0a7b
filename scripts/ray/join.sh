#!/usr/bin/env bash
# Makes this machine a node of the Ray cluster with the head at HEAD:PORT.
#
#   scripts/ray/join.sh HEAD:PORT [--address IP] [options of `ray start`]
#
# --address: this machine's, as the other nodes reach it; its first one where it is left out.
# Needs the head's token: in the same file of a shared home folder, or copied (RAY_AUTH_TOKEN_PATH).
set -euo pipefail
# shellcheck source=scripts/ray/common.bash
source "$(dirname "$0")/common.bash"
help_if_asked "$@"

head=${1:-}
[[ $head == *:* ]] || stop "name the head: scripts/ray/join.sh HEAD:PORT"
shift
take_address "$@"
need_token
answers "${head%:*}" "${head##*:}" ||
    stop "nobody answers at $head: start the head first (scripts/ray/start_head.sh), or write the address that it printed."
start_ray --address="$head" --node-ip-address="$address" "${rest[@]}"
echo "$address is a node of the cluster at $head."
