"""A real SLURM of two nodes with one pretended GPU each, on this machine, in one folder.

Its own munge key, ports, spool and logs: nothing of the system's own configuration is read or written.
"""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import psutil

NODES = {"n1": 1, "n2": 1, "n3": 2}  # pretended GPUs; two nodes with one each, and one where two jobs sit side by side
DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch", "srun")

SLURM_CONF = """
ClusterName=deepkm
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
SlurmdTimeout=5
KillWait=20
MinJobAge=300
SchedulerParameters=sched_interval=2,batch_sched_delay=0,sched_min_interval=0
GresTypes=gpu
"""
PARTITIONS = """
PartitionName=gpu Nodes=n1,n2 Default=YES
PartitionName=pair Nodes=n3
"""


def missing():
    """Return why no cluster can be started here, or an empty text."""
    absent = [name for name in DAEMONS if not shutil.which(name)]
    if absent:
        return f"SLURM is not installed ({', '.join(absent)}): apt install slurm-wlm munge"
    return "" if os.getuid() == 0 else "SLURM's test cluster pretends GPUs by device files, which only root can make"


class Cluster:
    """Start by ``with Cluster(folder) as cluster:``; it ends with all that it started."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.variables = {
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": os.pathsep.join([str(self.folder / "bin"), os.environ["PATH"]]),
        }
        self.environment = os.environ | self.variables

    def __enter__(self):
        self._configure()
        self._start_munge()
        self.command("slurmctld")
        for node in NODES:
            self.start_node(node)
        self.wait_for(lambda: self.states() == {"idle"})
        return self

    def __exit__(self, *error):
        for node in NODES:
            self.take_away(node)
        for name in ("slurmctld", "munged"):
            _kill(self._pid(f"{name}.pid"))

    def start_node(self, node):
        self.command("slurmd", "-N", node)

    def take_away(self, node):
        """End a node as a power cut would: its slurmd and every process of its jobs at once."""
        daemon = self._pid(f"slurmd.{node}.pid")
        steps = [
            process
            for process in psutil.process_iter(["name", "cmdline"])
            if process.info["name"] == "slurmstepd" and self._runs_on(process, node)
        ]
        for process in [*(child for step in steps for child in step.children(recursive=True)), *steps]:
            _kill(process.pid)
        _kill(daemon)

    def states(self):
        """Return the states of all nodes."""
        return set(self.command("sinfo", "-N", "-h", "-o", "%T").split())

    def jobs(self, state="all", partition="gpu,pair"):
        """Return [id, node] of each job in a state; the node is absent while it waits."""
        listing = self.command("squeue", "-h", "-t", state, "-p", partition, "-o", "%i %N")
        return [line.split() for line in listing.splitlines()]

    def command(self, *arguments):
        return subprocess.run(
            arguments, env=self.environment, check=True, text=True, stdout=subprocess.PIPE, timeout=120
        ).stdout

    def wait_for(self, condition, seconds=300):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError("\n".join(path.read_text()[-3000:] for path in self.folder.glob("*.log")))
            time.sleep(0.2)

    def _configure(self):
        (self.folder / "state").mkdir()
        ports, host = _free_ports(1 + len(NODES)), socket.gethostname().split(".")[0]
        conf, gres = SLURM_CONF.format(host=host, folder=self.folder, port=ports.pop()), ""
        for node, n_gpus in NODES.items():
            (self.folder / "spool" / node).mkdir(parents=True)
            conf += f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports.pop()} CPUs={2 * n_gpus}"
            conf += f" RealMemory=8000 Gres=gpu:{n_gpus}\n"
            for number in range(n_gpus):
                device = self.folder / f"{node}-nvidia{number}"
                os.mknod(device, 0o020666, os.makedev(1, 3))  # a character device that is no GPU
                gres += f"NodeName={node} Name=gpu File={device}\n"
        (self.folder / "slurm.conf").write_text(conf + PARTITIONS)
        (self.folder / "gres.conf").write_text(gres)
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        # Snakemake starts srun without SLURM's variables, which finds a cluster by its usual folder only.
        srun = self.folder / "bin" / "srun"
        srun.parent.mkdir()
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {shutil.which("srun")} "$@"\n')
        srun.chmod(0o755)

    def _start_munge(self):
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        names = {"socket": "munge.socket", "pid-file": "munged.pid", "log-file": "munged.txt", "seed-file": "seed"}
        options = [f"--{option}={self.folder / name}" for option, name in names.items()]
        self.command("munged", "--force", f"--key-file={key}", *options)

    def _pid(self, name):
        path = self.folder / name
        return int(path.read_text()) if path.exists() else None

    def _runs_on(self, process, node):
        try:
            files = {file.path for file in process.open_files()} | set(process.info["cmdline"] or [])
        except psutil.NoSuchProcess:
            return False
        ours = [str(self.folder / name) for name in (f"spool/{node}", f"slurmd.{node}.log")]  # others' may run beside
        return any(name in str(path) for path in files for name in ours)


def _kill(pid):
    try:
        if pid is not None:
            psutil.Process(pid).kill()
    except psutil.NoSuchProcess:
        pass


def _free_ports(n):
    sockets = [socket.socket() for _ in range(n)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
