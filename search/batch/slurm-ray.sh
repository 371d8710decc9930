#!/bin/bash
# One search on a Ray cluster of Slurm nodes: the first task of this array is Ray's head and searches, the
# others are nodes that train. It begins as soon as the head has a node; the others join when they get theirs.
# Written for Slurm 20.11 or newer, and not yet run under Slurm: try it with two nodes first.
#
# Submit it in Trialbook's folder, on a file system that all nodes share, after `make setup .venv/ray` there.
# What is given to sbatch itself overrides these lines: sbatch --partition=... --time=... script
#SBATCH --job-name=trialbook-{{name}}
#SBATCH --array=0-{{last}}
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --exclusive
#SBATCH --mem=0
#SBATCH --time=01:00:00
#SBATCH --signal=TERM@60
#SBATCH --output=mlruns/slurm-%A_%a.out

set -euo pipefail
if ! [ -e .venv/ray ]; then
  echo 'error: there is no .venv/ray here: type make setup .venv/ray, then submit this again' >&2
  exit 2
fi
head="mlruns/ray-head-$SLURM_ARRAY_JOB_ID"
room=(--num-cpus "$SLURM_CPUS_ON_NODE" --num-gpus "${SLURM_GPUS_ON_NODE:-0}" --disable-usage-stats)

if [ "$SLURM_ARRAY_TASK_ID" -ne 0 ]; then
  until [ -s "$head" ]; do sleep 2; done
  exec .venv/bin/ray start --address "$(cat "$head")" "${room[@]}" --block
fi

stop() {
  rm -f "$head"
  [ {{last}} -eq 0 ] || scancel "${SLURM_ARRAY_JOB_ID}_[1-{{last}}]" || true
  .venv/bin/ray stop || true
}
trap stop EXIT
address=$(hostname -I | awk '{ print $1 }')  # where it is not the one that others reach it by: edit this
port=$((20000 + SLURM_ARRAY_JOB_ID % 10000))
.venv/bin/ray start --head --node-ip-address "$address" --port "$port" --include-dashboard=false "${room[@]}"
echo "$address:$port" > "$head.new"
mv "$head.new" "$head"
srun --ntasks=1 {{command}}
