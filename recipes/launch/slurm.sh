#!/usr/bin/env bash
# Several nodes with eight GPUs each under Slurm. From the repository's root:
#   sbatch --nodes 4 recipes/launch/slurm.sh base_1b
# Two minutes before its time is over the training saves at the end of a step, and the job is put back in the queue;
# so is a job that Slurm preempts. It goes on from the last checkpoint.
#SBATCH --job-name=groundup
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --output=runs/slurm-%j.log
set -euo pipefail

recipe=${1:-base_1b}
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export NODES=$SLURM_NNODES PROCESSES=$((SLURM_NNODES * ${GPUS_PER_NODE:-8})) FIRST=$first RECIPE=$recipe
export CONFIG=${CONFIG:-recipes/launch/fsdp2.yaml}

# Slurm signals this script, the script the step, and each node's shell its training processes. The launcher between
# them, which knows no such signal, ignores it. `wait` returns at a signal, so it is asked again.
asked=
trap 'asked=yes; scancel --signal=USR1 "$SLURM_JOB_ID.0"' USR1

# Single quotes: SLURM_NODEID is another number on each node.
srun bash -c '
  (trap "" USR1; exec .venv/bin/accelerate launch --config_file "$CONFIG" \
    --num_machines "$NODES" --num_processes "$PROCESSES" --machine_rank "$SLURM_NODEID" \
    --main_process_ip "$FIRST" --main_process_port 29500 --rdzv_backend c10d \
    -m pipeline pretrain --recipe "$RECIPE") &
  trap "pkill -USR1 -P $!" USR1
  code=0; wait $! || code=$?
  while kill -0 $! 2>/dev/null; do code=0; wait $! || code=$?; done
  exit $code
' &
code=0
wait $! || code=$?
while kill -0 $! 2>/dev/null; do
  code=0
  wait $! || code=$?
done

if [[ $asked ]]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
