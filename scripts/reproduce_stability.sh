#!/usr/bin/env bash
# The paper's claims at a small scale: GMPO against GRPO (--core), and its whole family (--full), over seeds.
#   scripts/reproduce_stability.sh --core | --full | STUDY ... [--plan]
# The studies stand in scripts/study/studies.yaml. What is done is skipped, what was begun is resumed: repeat the
# command to go on. Metrics, tables and figures go to recipes/stability/; the figures need Chromium.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly PYTHON=.venv/bin/python

words=()
for word in "$@"; do
    case $word in --core | --full) words+=("${word#--}") ;; *) words+=("$word") ;; esac
done
((${#words[@]})) || {
    echo "reproduce_stability: write --core, --full or the name of a study." >&2
    exit 2
}
scripts/setup.sh
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
$PYTHON scripts/study/run.py "${words[@]}"
case " ${words[*]} " in *" --plan "*) exit 0 ;; esac
$PYTHON scripts/study/table.py
$PYTHON scripts/study/figures.py "${words[@]}"
