#!/bin/bash
# One search on a Ray cluster of Slurm nodes: the first task of this array is Ray's head and searches, the
# others are nodes that train. It begins as soon as the head has a node; the others join when they get theirs.
# Written for Slurm 20.11 or newer, and not yet run under Slurm, only with its variables set by hand: try it with
# two nodes first.
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
cluster="$PWD/mlruns/ray-$SLURM_ARRAY_JOB_ID"  # where the head says how it is reached
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$cluster/token"  # else whoever reaches it could run code on it
room=(--num-cpus "$SLURM_CPUS_ON_NODE" --num-gpus "${SLURM_GPUS_ON_NODE:-0}" --disable-usage-stats)

if [ "$SLURM_ARRAY_TASK_ID" -ne 0 ]; then
  until [ -s "$cluster/address" ]; do sleep 2; done
  exec .venv/bin/ray start --address "$(cat "$cluster/address")" "${room[@]}" --block
fi

stop() {
  rm -rf "$cluster"
  [ {{last}} -eq 0 ] || scancel "${SLURM_ARRAY_JOB_ID}_[1-{{last}}]" || true
  .venv/bin/ray stop || true
}
trap stop EXIT
mkdir -m 700 -p "$cluster"
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' > "$RAY_AUTH_TOKEN_PATH"
host=$(hostname -I | awk '{ print $1 }')  # where it is not the address that others reach it by: edit this
port=$((20000 + SLURM_ARRAY_JOB_ID % 10000))
.venv/bin/ray start --head --node-ip-address "$host" --port "$port" --include-dashboard=false "${room[@]}"
echo "$host:$port" > "$cluster/new"
mv "$cluster/new" "$cluster/address"
srun --ntasks=1 {{command}}
