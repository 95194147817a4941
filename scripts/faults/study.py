"""One study under faults: from its experiment to the verdict on what it left."""

import asyncio
import os
import random
import shutil
import signal
import sqlite3
import time
from collections import Counter

import experiments
import outcome
from mishaps import GRACE, Failed, ProcessFaults
from network import LEASE, NetworkFaults
from processes import Coordinator, Worker, undisturbed
from proxy import Proxy

# How long a study may take under faults, in seconds. Most take a tenth.
BOUND = 150
# An execution whose workers were lost five times has failed, and rightly so. No
# more is done to workers while one has lost so many:
LOSSES = 1
# and so many workers at once are out of reach.
OUT_OF_REACH = 2


class Study(NetworkFaults, ProcessFaults):
    """A study and everything that is done to it.

    What is done is drawn from the seed; when it happens to strike is not.
    """

    def __init__(self, programs, folder, seed, number):
        self.sweep, self.toy_worker = programs
        self.folder = folder
        self.rng = random.Random(f"{seed}/{number}")
        self.faults = Counter()
        self.text, self.about, epochs = experiments.make(self.rng)
        self.is_tls = self.rng.random() < 0.3
        # Needs to become somebody else.
        self.is_elsewhere = self.rng.random() < 0.4 and os.geteuid() == 0
        self.crew = self.rng.randint(2, 4)
        # So that it would take some seconds if nobody disturbed it.
        self.epoch_ms = round(self.rng.uniform(3000, 7000) * self.crew / epochs)
        self.hosts = self.rng.randint(1, 3)
        # How long the first quarantine of a host is, in seconds; 0: there is none.
        self.quarantine = self.rng.choice([0, 1])
        self.unruly = self.rng.uniform(0.3, 1.0)
        # For how long there are faults, in seconds.
        self.storm = self.rng.uniform(5, 12)
        self.is_calm = False
        self.out_of_reach = 0
        self.workers = []
        self.serial = 0
        self.problems = []
        self.blows = []
        self.is_restarting = False
        self.about += f", {self.crew} workers" + (", TLS" if self.is_tls else "")
        self.about += ", data fetched" if self.is_elsewhere else ""

    async def run(self):
        """Returns what is wrong, as a list of sentences."""
        calm, rough = self.folder / "calm", self.folder / "rough"
        for place in (calm, rough):
            place.mkdir(parents=True)
            (place / "toy.yaml").write_text(self.text)
        (rough / "elsewhere").mkdir()
        (rough / "elsewhere").chmod(0o777)
        cache = self.folder.parent / "cache"
        message = await asyncio.to_thread(undisturbed, self.sweep, self.toy_worker, calm, cache)
        if message is not None:
            return [f"the undisturbed run failed: {message}"]
        options = ["--local-workers", "0", "--listen", "127.0.0.1:0", "--lease", str(LEASE),
                    "--quarantine", str(self.quarantine)]
        options += ["--tls"] if self.is_tls else []
        self.coordinator = Coordinator(self.sweep, rough, cache, options)
        self.database = rough / "runs" / "toy" / "study.db"
        try:
            await self.run_rough(rough)
        except Failed as failed:
            self.problems.append(str(failed))
        if not self.problems:
            self.problems += outcome.differences(calm / "runs" / "toy", rough / "runs" / "toy")
        return self.problems

    async def run_rough(self, rough):
        begun = time.monotonic()
        self.proxy = Proxy(self.coordinator.address, self.fate)
        await self.coordinator.start()
        tasks = []
        try:
            await self.wait_until_it_listens(begun)
            self.line = await self.join_line(begun)
            tasks += [asyncio.create_task(work) for work in
                      (self.proxy.serve(), self.disturb_network(), self.disturb_processes(),
                       self.man())]
            for _ in range(self.crew):
                self.hire()
            while True:
                code = await asyncio.wait_for(self.end_of_coordinator(tasks), BOUND)
                if code == 0:
                    break
            await self.dismiss()
        except asyncio.TimeoutError:
            raise Failed(f"not over after {BOUND} s") from None
        finally:
            for task in tasks + self.blows:
                task.cancel()
            ends = await asyncio.gather(*tasks, *self.blows, return_exceptions=True)
            # One of these is our own mistake.
            self.problems += [repr(end) for end in ends if isinstance(end, Exception)
                              and not isinstance(end, (asyncio.CancelledError, Failed))]
            for worker in self.workers:
                worker.kill()
            self.coordinator.signal(signal.SIGKILL)
            await self.coordinator.process.wait()
            self.proxy.listener.close()

    async def end_of_coordinator(self, tasks):
        """Waits until it has ended by itself, for good."""
        while True:
            for task in tasks:
                if task.done() and task.exception() is not None:
                    raise task.exception()
            if not self.coordinator.is_running() and not self.is_restarting:
                code = self.coordinator.process.returncode
                if code == 0:
                    return code
                raise Failed(f"the coordinator ended with code {code}")
            await asyncio.sleep(0.02)

    def listens(self):
        try:
            self.coordinator.address()
        except OSError:
            return False
        return True

    async def wait_until_it_listens(self, begun):
        while not self.listens():
            if not self.coordinator.is_running():
                # It may have found that nothing was left to do.
                return
            if time.monotonic() - begun > BOUND:
                raise Failed("the coordinator does not listen")
            await asyncio.sleep(0.02)

    async def join_line(self, begun):
        """How workers find the proxy."""
        if not self.is_tls:
            return f"127.0.0.1:{self.proxy.port}"
        join = self.coordinator.run_folder / "join"
        # Written after the address.
        while not join.is_file():
            if time.monotonic() - begun > BOUND:
                raise Failed("the coordinator does not say how it is joined")
            await asyncio.sleep(0.02)
        line = join.read_text().strip()
        scheme, _, _, token, fingerprint = line.split("/")
        return f"{scheme}//127.0.0.1:{self.proxy.port}/{token}/{fingerprint}"

    # Workers

    def hire(self):
        self.serial += 1
        options = ["--epoch-ms", str(self.epoch_ms), "--grace", str(GRACE), "--give-up-after", "120",
                   "--host", f"host-{self.serial % self.hosts}"]
        worker = Worker(self.toy_worker, self.folder / "rough", f"worker-{self.serial}", self.line,
                        options, self.is_elsewhere)
        self.workers.append(worker)

    def staff(self):
        """Workers that are there and were not told otherwise."""
        return [worker for worker in self.workers if not worker.is_doomed and worker.is_running()]

    async def man(self):
        """Puts a new worker in the place of one that has gone; none may go by itself."""
        while True:
            for worker in list(self.workers):
                if worker.is_running():
                    continue
                self.workers.remove(worker)
                code = worker.process.returncode
                if not worker.is_doomed and not (code == 0 and self.is_over()):
                    self.problems.append(f"{worker.name} left by itself with code {code}")
                elif worker.is_doomed and not self.is_over():
                    self.hire()
            await asyncio.sleep(0.05)

    async def dismiss(self):
        """The study is over: who was told so leaves by itself."""
        self.proxy.calm()
        self.is_calm = True
        for worker in self.staff():
            await worker.ended(1)

    def is_over(self):
        return bool(self.ask(lambda: outcome.query(
            self.database, "SELECT 1 FROM records WHERE kind = 'study_ended'")))

    def ask(self, question):
        """A question to the store; `None` where it cannot be asked just now."""
        try:
            return question()
        except sqlite3.OperationalError:
            return None

    # For the faults

    def spawn(self, blow):
        # Kept, so that it is not collected while it waits.
        self.blows.append(asyncio.create_task(blow))

    def may_be_lost(self, seconds):
        """Whether workers may be out of reach for so long just now."""
        if seconds < LEASE / 2:
            return True
        losses = self.ask(lambda: outcome.most_losses(self.database))
        return losses is not None and losses <= LOSSES and self.out_of_reach < OUT_OF_REACH

    def count(self, fault):
        self.faults[fault] += 1


def run_study(programs, folder, seed, number):
    """Runs a study in a folder of its own, which is removed if all went well.

    Returns what is wrong, and a line about it.
    """
    study = Study(programs, folder, seed, number)
    begun = time.monotonic()
    problems = asyncio.run(study.run())
    seconds = time.monotonic() - begun
    ended = study.ask(lambda: outcome.outcomes(study.database)) or {}
    line = {"about": study.about, "seconds": seconds, "faults": dict(study.faults),
            "attempts": ended, "problems": problems}
    if not problems:
        shutil.rmtree(folder)
    return line
