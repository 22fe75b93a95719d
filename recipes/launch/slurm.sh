#!/usr/bin/env bash
# Several nodes with eight GPUs each under Slurm. From the repository's root:
#   sbatch --nodes 4 recipes/launch/slurm.sh base_1b
# A job that Slurm cuts off is put back in the queue, and goes on from its last checkpoint.
#SBATCH --job-name=groundup
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --output=runs/slurm-%j.log
set -euo pipefail

recipe=${1:-base_1b}
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export NODES=$SLURM_NNODES PROCESSES=$((SLURM_NNODES * 8)) FIRST=$first RECIPE=$recipe

# Single quotes: SLURM_NODEID is another number on each node.
srun bash -c '.venv/bin/accelerate launch --config_file recipes/launch/fsdp2.yaml \
  --num_machines "$NODES" --num_processes "$PROCESSES" --machine_rank "$SLURM_NODEID" \
  --main_process_ip "$FIRST" --main_process_port 29500 --rdzv_backend c10d \
  -m pipeline pretrain --recipe "$RECIPE"'
