#!/usr/bin/env bash
# Trains on a Ray cluster: sends the command to its head as a Ray job, shows its output, and ends with 0 or 1 as it did.
#
#   scripts/ray/submit.sh HEAD [arguments of `python -m gmpo_verl.main_ppo`]
#
# HEAD: the head's address without the port. The arguments reach the run as they are, quotes and spaces included; folders
# in them count from here, and must be on a file system that all nodes share.
# While it runs: `touch RUN_DIR/.save_and_stop` ends it after its step with a checkpoint (SIGUSR1 to the command does the
# same where there is no job between).
set -euo pipefail
# shellcheck source=scripts/ray/common.bash
source "$(dirname "$0")/common.bash"
help_if_asked "$@"

head=${1:-}
[[ -n $head && $head != *=* && $head != *:* ]] || stop "name the head's address without a port: scripts/ray/submit.sh HEAD ..."
shift
need_token
answers "$head" "$dashboard_port" ||
    stop "nobody takes jobs at $head:$dashboard_port: start the head first (scripts/ray/start_head.sh)."
exec "$ray" job submit --address="http://$head:$dashboard_port" -- \
    env --chdir="$PWD" "$python" -m gmpo_verl.main_ppo "$@"
