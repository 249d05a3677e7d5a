#!/bin/bash
# A search on two Slurm nodes: sbatch docs/cluster/slurm.sh
#
# Submitted again, after its time is up or a node was lost, it goes on where it was.
# Change: partition, time, sizes, the environment, the storage (a file system that all nodes share).
#SBATCH --job-name=tune-robust
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=1
#SBATCH --time=12:00:00
#SBATCH --signal=B:TERM@120
set -euo pipefail

source "$HOME/venv/bin/activate"
STORAGE="$HOME/runs"
NAME=first

# A token of this job's own: Ray's ports are reachable by everyone on the network.
export RAY_AUTH_MODE=token
export RAY_AUTH_TOKEN_PATH="$HOME/.ray/token-$SLURM_JOB_ID"
mkdir -p "$HOME/.ray"
(umask 077 && openssl rand -hex 32 > "$RAY_AUTH_TOKEN_PATH")
trap 'rm -f "$RAY_AUTH_TOKEN_PATH"' EXIT

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${nodes[0]}
on() { # NODE COMMAND ...; srun does not take over sbatch's CPUs by itself
  srun --nodes=1 --ntasks=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" --nodelist="$1" "${@:2}"
}
ip=$(on "$head" hostname --ip-address | awk '{print $1}')
address="$ip:$((20000 + SLURM_JOB_ID % 20000))"

on "$head" ray start --block --head --node-ip-address="$ip" --port="${address##*:}" \
  --dashboard-host=127.0.0.1 --num-cpus="$SLURM_CPUS_PER_TASK" &
until ray status --address="$address" > /dev/null 2>&1; do
  kill -0 $! # ends this job where the head could not start
  sleep 1
done
for node in "${nodes[@]:1}"; do
  on "$node" ray start --block --address="$address" --num-cpus="$SLURM_CPUS_PER_TASK" &
done

# The last minutes of its time: stop cleanly.
search() {
  tune-robust "$@" --storage "$STORAGE" --address "$address" &
  conductor=$!
  trap 'kill -TERM "$conductor"' TERM
  wait "$conductor" || wait "$conductor"
}
if [ -e "$STORAGE/$NAME/run.json" ]; then
  search resume "$NAME"
else
  search search --space saner_cifar100 --name "$NAME" --data-dir "$HOME/data"
fi
