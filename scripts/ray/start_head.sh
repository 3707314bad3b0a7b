#!/usr/bin/env bash
# Starts the head of a Ray cluster on this machine.
#
#   scripts/ray/start_head.sh [--address IP] [options of `ray start`]
#
# --address: this machine's, as the other nodes reach it; its first one where it is left out.
# The dashboard listens there alone, Ray's server for remote clients is off, and every connection needs the token in
# ~/.ray/auth_token (made here, mode 600; RAY_AUTH_TOKEN_PATH names another file). Ray's own ports are open on every
# network of the machine: a firewall should keep them inside the cluster.
set -euo pipefail
# shellcheck source=scripts/ray/common.bash
source "$(dirname "$0")/common.bash"
help_if_asked "$@"

take_address "$@"
make_token
# `ray job stop` gives a run this long for its own end.
export RAY_JOB_STOP_WAIT_TIME_S=60
start_ray --head --node-ip-address="$address" --port="$port" \
    --include-dashboard=true --dashboard-host="$address" --dashboard-port="$dashboard_port" "${rest[@]}"
echo "The head runs at $address:$port. On every other node: scripts/ray/join.sh $address:$port"
echo "Then, on any node: scripts/ray/submit.sh $address trainer.nnodes=N ..."
