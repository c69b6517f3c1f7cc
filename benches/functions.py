#!/usr/bin/env python3
"""Many short calls of a Python function, side by side: Open-AutoGLM, Celery on Redis, Dask, Ray.

    cargo build --release -p cli
    python3 benches/functions.py target/release/autoglm                # all of them
    python3 benches/functions.py target/release/autoglm --only ours --calls 100000

Every system calls the same function, which returns its argument, on as many slots as there are
cores, and is warmed up before its time is taken. The time is from handing over the calls until all
results are known to whoever asked. Ours is durable all the while: each result is in a journal that
is synced. So that no system waits for the others' leftovers they run one after the other, three
rounds of all; the medians are printed. The others are installed into a virtual environment beside
the state, or taken from one (`--venv`). Redis is Debian's `redis-server`, without persistence.
Nothing is left running, and no system has more than `--limit` seconds a round.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

PEERS = ["celery", "redis", "dask", "distributed", "ray"]
CORES = os.cpu_count() or 1

CELERY_APP = """
import os
from celery import Celery
url = os.environ["BENCH_REDIS"]
app = Celery("bench_app", broker=url, backend=url)
app.conf.update(worker_prefetch_multiplier=64, task_ignore_result=False)
@app.task
def same(x):
    return x
"""

CELERY_ASK = """
import sys, time
from celery import group
from bench_app import same
calls = int(sys.argv[1])
group(same.s(x) for x in range(100)).apply_async().get(timeout=60)
since = time.perf_counter()
found = group(same.s(x) for x in range(calls)).apply_async().get(timeout=600)
assert len(found) == calls
print(time.perf_counter() - since)
"""

DASK = """
import sys, time
from distributed import Client, LocalCluster
def same(x): return x
if __name__ == "__main__":
    calls, cores = int(sys.argv[1]), int(sys.argv[2])
    cluster = LocalCluster(n_workers=cores, threads_per_worker=1, dashboard_address=None)
    client = Client(cluster)
    client.gather(client.map(same, range(-100, 0)))
    since = time.perf_counter()
    found = client.gather(client.map(same, range(calls)))
    assert found == list(range(calls))
    print(time.perf_counter() - since)
    client.close(); cluster.close()
"""

RAY = """
import sys, time, ray
calls, cores = int(sys.argv[1]), int(sys.argv[2])
ray.init(num_cpus=cores, include_dashboard=False, log_to_driver=False)
@ray.remote
def same(x): return x
ray.get([same.remote(x) for x in range(100)])
since = time.perf_counter()
found = ray.get([same.remote(x) for x in range(calls)])
assert found == list(range(calls))
print(time.perf_counter() - since)
ray.shutdown()
"""

OURS = """
tasks:
  call:
    foreach: {range: %d}
    function: {handler: same, prefetch: 31}
"""


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("autoglm")
    options.add_argument("--calls", type=int, default=20_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--limit", type=int, default=240)
    options.add_argument("--venv")
    options.add_argument("--only", choices=["ours", "celery", "dask", "ray"])
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        house = House(chosen, folder)
        systems = {"ours": house.ours, "celery": house.celery, "dask": house.dask, "ray": house.ray}
        took = {name: [] for name in systems if chosen.only in (None, name)}
        for _ in range(chosen.rounds):
            for name in took:
                try:
                    seconds = systems[name]()
                    took[name].append(seconds)
                    print("%-8s %8.0f calls/s" % (name, chosen.calls / seconds), flush=True)
                except (subprocess.SubprocessError, OSError, ValueError) as error:
                    print("%-8s failed: %s" % (name, str(error)[-300:]), flush=True)
        print("\nmedian of %d rounds, %d calls, %d cores" % (chosen.rounds, chosen.calls, CORES))
        for name, seconds in took.items():
            if seconds:
                print("%-8s %8.0f calls/s" % (name, chosen.calls / statistics.median(seconds)))


class House:
    def __init__(self, chosen, folder):
        self.chosen, self.folder = chosen, folder
        self.binary = os.path.abspath(chosen.autoglm)
        self.python = None

    def peers(self):
        """The interpreter that has the others."""
        if self.python is None:
            venv = self.chosen.venv or os.path.join(self.folder, "venv")
            self.python = os.path.join(os.path.abspath(venv), "bin", "python")
            if not os.path.exists(self.python):
                subprocess.run([sys.executable, "-m", "venv", venv], check=True)
                install = [self.python, "-m", "pip", "install", "-q", *PEERS]
                subprocess.run(install, check=True, timeout=900)
        return self.python

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def last_line(self, command, **more):
        done = subprocess.run(
            command,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=self.chosen.limit,
            **more,
        )
        if done.returncode:
            raise OSError(done.stderr)
        return done.stdout.strip().splitlines()[-1]

    def ours(self):
        self.write("functions.py", "def same(x): return x\n")
        flow = self.write("flow.yaml", OURS % self.chosen.calls)
        home = os.path.join(self.folder, "home")
        shutil.rmtree(home, ignore_errors=True)
        self.last_line([self.binary, "--home", home, "run", flow, "-o", "json"])
        # As the run itself says: from its acceptance to its end.
        told = subprocess.run(
            [self.binary, "--home", home, "get", "last", "-o", "json"],
            stdout=subprocess.PIPE,
            check=True,
            timeout=60,
        )
        return float(json.loads(told.stdout)["run"]["duration_seconds"])

    def celery(self):
        python = self.peers()
        port = free_port()
        redis = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
        redis += ["--appendonly", "no", "--dir", self.folder]
        env = {**os.environ, "BENCH_REDIS": "redis://127.0.0.1:%d/0" % port}
        self.write("bench_app.py", CELERY_APP)
        ask = self.write("bench_ask.py", CELERY_ASK)
        worker = [python, "-m", "celery", "-A", "bench_app", "worker", "-c", str(CORES)]
        worker += ["-l", "ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        with Running(redis, self.folder, env):
            time.sleep(0.5)
            with Running(worker, self.folder, env):
                return float(self.last_line([python, ask, str(self.chosen.calls)], env=env))

    def dask(self):
        path = self.write("bench_dask.py", DASK)
        return float(self.last_line([self.peers(), path, str(self.chosen.calls), str(CORES)]))

    def ray(self):
        path = self.write("bench_ray.py", RAY)
        return float(self.last_line([self.peers(), path, str(self.chosen.calls), str(CORES)]))


class Running:
    """A server that ends with the block."""

    def __init__(self, command, folder, env):
        self.command, self.folder, self.env = command, folder, env

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command,
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def free_port():
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


if __name__ == "__main__":
    main()
