"""The coordinator and the workers of a study, as processes of their own."""

import asyncio
import os
import re
import signal
import subprocess
import time

# Who may not see the coordinator's folders, as if it were on another machine.
NOBODY = 65534


class Coordinator:
    """`sweep FILE`, started again with the same command whenever it was killed."""

    def __init__(self, sweep, folder, cache, options):
        self.command = [sweep, "toy.yaml", "--progress", "lines", *options]
        self.folder = folder
        self.environment = {**os.environ, "SWEEP_CACHE": str(cache)}
        self.log = folder / "coordinator.log"
        self.run_folder = folder / "runs" / "toy"
        self.process = None
        self.started = 0.0

    async def start(self):
        self.started = time.time()
        with open(self.log, "ab") as log:
            log.write(f"-- {' '.join(self.command)}\n".encode())
            log.flush()
            self.process = await asyncio.create_subprocess_exec(
                *self.command, cwd=self.folder, env=self.environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def is_running(self):
        return self.process.returncode is None

    def address(self):
        """Where it listens; an OSError while it does not."""
        file = self.run_folder / "address"
        # One that was killed has left its own.
        is_its = file.stat().st_mtime >= self.started
        found = re.search(r"127\.0\.0\.1:(\d+)", file.read_text())
        if found is None or not is_its or not self.is_running():
            raise OSError("nobody listens")
        return "127.0.0.1", int(found[1])

    def signal(self, number):
        if self.is_running():
            self.process.send_signal(number)


class Worker:
    """A toy worker. It outlives coordinators, and is no child of theirs."""

    def __init__(self, program, folder, name, line, options, is_elsewhere):
        self.name = name
        self.log = folder / f"{name}.log"
        # Set once it was told, or made, to end: then any exit code is right.
        self.is_doomed = False
        self.is_suspended = False
        command = [program, "--name", name, "--cache", str(folder / "elsewhere"), *options]
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if is_elsewhere else {}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, cwd="/", env={**os.environ, "SWEEP_JOIN": line},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, **user)

    def is_running(self):
        return self.process.poll() is None

    def signal(self, number):
        if self.is_running():
            self.process.send_signal(number)

    def kill(self):
        self.is_doomed = True
        self.signal(signal.SIGKILL)

    async def ended(self, seconds):
        """Waits for its end; whether it came."""
        for _ in range(int(seconds / 0.02)):
            if not self.is_running():
                return True
            await asyncio.sleep(0.02)
        return not self.is_running()


def undisturbed(sweep, worker, folder, cache):
    """Runs the study with one worker that nobody disturbs. Returns what it said if it went wrong."""
    command = [sweep, "toy.yaml", "--progress", "quiet", "--local-workers", "1",
               "--worker-program", worker]
    environment = {**os.environ, "SWEEP_CACHE": str(cache), "SWEEP_TOY_EPOCH_MS": "0"}
    done = subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=120)
    return None if done.returncode == 0 else done.stderr.decode(errors="replace")
