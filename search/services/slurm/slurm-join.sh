#!/bin/bash
# Coordinators that search one study together, each on cores of its own: the study is in PostgreSQL. Each task
# of this array is one; it can begin, end or be killed without the others.
# Written for Slurm 20.11 or newer, and not yet run under Slurm: try it with two tasks first.
#
# Submit it in Trialbook's folder, on a file system that all nodes share, after `make setup` there. The
# environment says where the password and the log are: export PGPASSFILE=... MLFLOW_TRACKING_URI=...
# What is given to sbatch itself overrides these lines: sbatch --partition=... --cpus-per-task=16 script
#SBATCH --job-name=trialbook-{{name}}
#SBATCH --array=0-{{last}}
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --time=01:00:00
#SBATCH --signal=TERM@60
#SBATCH --output=mlruns/slurm-%A_%a.out

set -euo pipefail
if ! [ -e .venv/ready ]; then
  echo 'error: there is no .venv/ready here: type make setup, then submit this again' >&2
  exit 2
fi
: "${MLFLOW_TRACKING_URI:?names no server: coordinators on several nodes need one for their log}"
# What it keeps besides the study, it keeps for itself.
export TRIALBOOK_HOME="$PWD/mlruns/slurm-$SLURM_ARRAY_JOB_ID/$SLURM_ARRAY_TASK_ID"
srun --ntasks=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" {{command}}
