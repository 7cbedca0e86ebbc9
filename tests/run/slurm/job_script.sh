#!/usr/bin/env bash

#SBATCH -J hstmosaic-1a2b3c4d
#SBATCH -p standard
#SBATCH -A ast1234
#SBATCH -n 1
#SBATCH --cpus-per-task=2
#SBATCH --mem=2862M
#SBATCH -t 01:30:00
#SBATCH --no-requeue
#SBATCH --gres=lscratch:3
#SBATCH --qos=normal
#SBATCH --constraint=scratch
module load python/3.11
export PYTHONSAFEPATH=1
export MPLBACKEND=Agg
unset PYTHONASYNCIODEBUG PYTHONBREAKPOINT PYTHONCASEOK PYTHONDEBUG PYTHONDEVMODE PYTHONHASHSEED PYTHONINSPECT PYTHONINTMAXSTRDIGITS PYTHONIOENCODING PYTHONMALLOCSTATS PYTHONOPTIMIZE PYTHONPROFILEIMPORTTIME PYTHONSTARTUP PYTHONTRACEMALLOC PYTHONVERBOSE PYTHONWARNDEFAULTENCODING PYTHONWARNINGS
scratch="${SCRATCH:-/tmp}"
[ -d "$scratch" ] && [ -w "$scratch" ] || { echo "cannot write to the scratch directory '$scratch' on ${SLURMD_NODENAME:-$HOSTNAME} (local-directory of the profile)" >&2; exit 1; }
/opt/hstmosaic/bin/python -P -m distributed.cli.dask_worker tls://10.0.0.1:8786 --name WORKER --nthreads 2 --memory-limit 2.79GiB --no-nanny --death-timeout 300 --local-directory ${SCRATCH:-/tmp} --memory-limit 0 --no-dashboard --preload hstmosaic.run.worker --interface ib0
