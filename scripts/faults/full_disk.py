"""A disk that fills up, again and again, at another place each time.

The run directory lies on a small file system in memory, in a mount namespace of
its own. When it is full, the coordinator has to stop with exit code 4 and say what
to do; everything it had acknowledged has to be in its store. Then there is some
more space, and the same command goes on, until the study is over; the tables have
to be those of an undisturbed run. The workers are processes of their own and stay.
"""

import asyncio
import os
import random
import re
import shutil
import socket
import subprocess
import sys

import experiments
import outcome
from processes import Coordinator, Worker, undisturbed

# Set in the process that has mounts of its own.
APART = "SWEEP_CHAOS_APART"
# Of the file system at first, and how much it grows by each time, in KiB.
SIZES = [(160, 40), (200, 90), (256, 64), (300, 150), (420, 60), (700, 300)]
# A study needs so many starts at most.
STARTS = 60
# How long one start may take, in seconds.
BOUND = 120
# More than the longest pause of a worker that tries to come back, in seconds.
LEASE = 12


def run_full_disk(programs, base):
    """Returns the exit code of the script."""
    if os.geteuid() != 0:
        print("a disk can only be made by root: nothing was tried")
        return 1
    if APART not in os.environ:
        shutil.rmtree(base)
        command = ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv]
        return subprocess.run(command, env={**os.environ, APART: "1"}).returncode
    passed = 0
    for number, (size, step) in enumerate(SIZES, start=1):
        folder = base / f"disk-{number}"
        folder.mkdir()
        disk = folder / "rough"
        disk.mkdir()
        mount("-t", "tmpfs", "-o", f"size={size}k", "tmpfs", disk)
        try:
            study = FullDisk(programs, folder, number, size, step)
            problems = asyncio.run(study.run())
        finally:
            subprocess.run(["umount", "--lazy", disk], check=True)
        verdict = "wrong" if problems else "as undisturbed"
        print(f"{number:4}  {study.about}, {size} KiB and {step} more each time: "
              f"full {study.stops} times, {study.known} records acknowledged: {verdict}", flush=True)
        for problem in problems:
            print(f"      {problem}")
        passed += not problems
    shutil.rmtree(base, ignore_errors=True)
    print(f"\n{passed} of {len(SIZES)}")
    return 0 if passed == len(SIZES) else 1


def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True)


class FullDisk:
    """A study on a disk of `size` KiB, which grows by `step` KiB when it is full."""

    def __init__(self, programs, folder, number, size, step):
        self.sweep, self.toy_worker = programs
        self.folder, self.size, self.step = folder, size, step
        self.text, self.about, _ = experiments.make(random.Random(f"disk/{number}"))
        self.stops = 0
        self.known = 0

    async def run(self):
        calm, rough = self.folder / "calm", self.folder / "rough"
        calm.mkdir()
        for place in (calm, rough):
            (place / "toy.yaml").write_text(self.text)
        cache = self.folder.parent / "cache"
        message = undisturbed(self.sweep, self.toy_worker, calm, cache)
        if message is not None:
            return [f"the undisturbed run failed: {message}"]
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        options = ["--local-workers", "0", "--listen", address, "--lease", str(LEASE)]
        coordinator = Coordinator(self.sweep, rough, cache, options)
        # What it says must not be lost for lack of space.
        coordinator.log = self.folder / "coordinator.log"
        workers = [Worker(self.toy_worker, self.folder, f"worker-{index}", address,
                          ["--epoch-ms", "10"], False) for index in range(3)]
        try:
            problems = await self.go_on_until_over(coordinator, rough)
        finally:
            for worker in workers:
                worker.kill()
                worker.process.wait()
            if coordinator.is_running():
                coordinator.process.kill()
        return problems or outcome.differences(calm / "runs/toy", rough / "runs/toy")

    async def go_on_until_over(self, coordinator, disk):
        database = coordinator.run_folder / "study.db"
        for _ in range(STARTS):
            begun = coordinator.log.stat().st_size if coordinator.log.exists() else 0
            await coordinator.start()
            try:
                code = await asyncio.wait_for(coordinator.process.wait(), BOUND)
            except asyncio.TimeoutError:
                return [f"neither over nor stopped after {BOUND} s on {self.size} KiB"]
            said = coordinator.log.read_bytes()[begun:].decode(errors="replace")
            if code == 0:
                return []
            if code != 4:
                return [f"ended with code {code}: {said[-500:]}"]
            if "hint: " not in said or "space" not in said.split("hint: ")[-1]:
                return [f"does not say what to do: {said[-500:]}"]
            self.stops += 1
            if database.exists() and (problem := self.lost(database, said)):
                return [problem]
            self.size += self.step
            mount("-o", f"remount,size={self.size}k", disk)
        return [f"not over after {STARTS} starts"]

    def lost(self, database, said):
        """What was shown as done, and is not in the store; `None` where all is."""
        try:
            counted = outcome.query(database, "SELECT count(*) FROM records")[0][0]
            measured = outcome.query(database, "SELECT count(*) FROM records WHERE kind = 'measured'")[0][0]
            ended = {row[0] for row in outcome.query(
                database, "SELECT trial FROM records WHERE kind = 'trial_ended'")}
        except Exception as error:  # a store that was being made has no tables
            return None if self.known == 0 else f"the store cannot be read: {error}"
        if counted < self.known:
            return f"{counted} records are left of {self.known}"
        self.known = counted
        shown = {int(found) for found in re.findall(r"^Trial (\d+) Complete", said, re.MULTILINE)}
        if not shown <= ended:
            return f"trials shown as ended are not in the store: {sorted(shown - ended)}"
        self.measured = measured
        return None
