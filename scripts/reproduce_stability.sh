#!/usr/bin/env bash
# The paper's claims at a small scale: GMPO against GRPO (--core), and its whole family (--full), over seeds.
#   scripts/reproduce_stability.sh --core | --full | STUDY ... [--results DIR] [--plan]
# The studies stand in scripts/study/studies.yaml. What is done is skipped, what was begun is resumed: repeat the
# command to go on. Metrics, tables and figures go to DIR; without it to recipes/stability/, whose runs count as done.
# The figures need Chromium.
set -euo pipefail

refuse() {
    echo "reproduce_stability: $1" >&2
    exit 2
}

called_from=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly PYTHON=.venv/bin/python
names=() plan=() results=() work=() pages=()
while (($#)); do
    case $1 in
        --core | --full) names+=("${1#--}") ;;
        --plan) plan=(--plan) ;;
        --results)
            [[ ${2:--} != -* ]] || refuse "--results names no folder: write --results DIR."
            folder=$(cd "$called_from" && realpath --canonicalize-missing "$2")
            results=("--results=$folder") work=("--work=$folder/outputs") pages=("--pages=$folder/outputs")
            shift
            ;;
        -*) refuse "there is no option $1: write --core, --full, --results DIR, --plan or the name of a study." ;;
        *) names+=("$1") ;;
    esac
    shift
done
((${#names[@]})) || refuse "write --core, --full or the name of a study."
scripts/setup.sh
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
$PYTHON scripts/study/run.py "${names[@]}" "${work[@]}" "${results[@]}" "${plan[@]}"
((!${#plan[@]})) || exit 0
$PYTHON scripts/study/table.py "${results[@]}"
$PYTHON scripts/study/figures.py "${names[@]}" "${results[@]}" "${pages[@]}"
