#!/usr/bin/env bash
# The paper's claims at a small scale: GMPO against GRPO (--core), and its whole family (--full), over seeds.
#   scripts/reproduce_stability.sh --core | --full | STUDY ... [--plan]
# The studies stand in scripts/study/studies.yaml. What is done is skipped, what was begun is resumed: repeat the
# command to go on. Metrics, tables and figures go to recipes/stability/; the figures need Chromium.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly PYTHON=.venv/bin/python

refuse() {
    echo "reproduce_stability: $1" >&2
    exit 2
}

names=() plan=()
for word in "$@"; do
    case $word in
        --core | --full) names+=("${word#--}") ;;
        --plan) plan=(--plan) ;;
        -*) refuse "there is no option $word: write --core, --full, --plan or the name of a study." ;;
        *) names+=("$word") ;;
    esac
done
((${#names[@]})) || refuse "write --core, --full or the name of a study."
scripts/setup.sh
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
$PYTHON scripts/study/run.py "${names[@]}" "${plan[@]}"
((!${#plan[@]})) || exit 0
$PYTHON scripts/study/table.py
$PYTHON scripts/study/figures.py "${names[@]}"
