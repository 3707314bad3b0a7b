#!/usr/bin/env bash
# Ends the Ray cluster's part on this machine: the processes that start_head.sh or join.sh started, and their files.
#
#   scripts/ray/stop.sh
#
# Other clusters and runs on this machine go on (`ray stop` would end them all).
set -euo pipefail
# shellcheck source=scripts/ray/common.bash
source "$(dirname "$0")/common.bash"
help_if_asked "$@"

processes() { pgrep -U "$UID" -f -- "$folder/session_" || true; }

[[ -d $folder ]] || stop "there is no cluster of this user here: $folder does not exist."
for signal in TERM KILL; do
    for _ in {1..100}; do
        mapfile -t pids < <(processes)
        ((${#pids[@]})) || break 2
        kill -"$signal" "${pids[@]}" 2>/dev/null || true
        sleep 0.1
    done
done
rm -rf -- "$folder"
echo "Stopped."
