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
from processes import Coordinator, Worker, undisturbed
from proxy import DOWN, UP, Proxy

# How long a study may take under faults, in seconds. Most take a tenth.
BOUND = 150
# How long a worker may take to leave that was told to, in seconds.
GRACE = 3
LEAVE_BOUND = GRACE + 12
# After how long of silence a worker is lost, in seconds.
LEASE = 3
# An execution whose workers were lost five times has failed, and rightly so. No
# more is done to workers while one has lost so many:
LOSSES = 1
# and so many workers at once are out of reach.
OUT_OF_REACH = 2


class Failed(Exception):
    """The study did not go as it has to."""


class Study:
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
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
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

    is_restarting = False

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

    # Faults of the network

    def fate(self, connection):
        if self.is_calm:
            return True
        draw = self.rng.random() / self.unruly
        if draw < 0.08:
            self.count("connection refused")
            return False
        if draw < 0.30 and not self.is_tls:
            self.count("everything sent twice")
            connection.is_mirrored = True
        elif draw < 0.40:
            self.count("cut in mid-stream")
            connection.cut_after[self.rng.choice([UP, DOWN])] = self.rng.randint(1, 6000)
        elif draw < 0.48:
            self.count("in small pieces")
            connection.piece = self.rng.choice([7, 50, 300])
        return True

    async def disturb_network(self):
        blows = [self.cut, self.cut_in_mid_stream, self.half_close, self.slow_down,
                 self.lose_answers, self.lose_answers, self.black_hole]
        end = time.monotonic() + self.storm
        while time.monotonic() < end:
            await asyncio.sleep(self.rng.expovariate(4 * self.unruly))
            if self.rng.random() < 0.06:
                self.spawn(self.partition())
            elif self.proxy.connections:
                connection = self.rng.choice(sorted(self.proxy.connections, key=id))
                self.spawn(self.rng.choice(blows)(connection))
        self.is_calm = True
        await asyncio.sleep(4)
        self.proxy.calm()

    def spawn(self, blow):
        # Kept, so that it is not collected while it waits.
        self.blows = getattr(self, "blows", [])
        self.blows.append(asyncio.create_task(blow))

    async def cut(self, connection):
        self.count("cut")
        connection.reset()

    async def cut_in_mid_stream(self, connection):
        self.count("cut in mid-stream")
        connection.cut_after[self.rng.choice([UP, DOWN])] = self.rng.randint(1, 120)

    async def half_close(self, connection):
        self.count("half-closed")
        way = self.rng.choice([UP, DOWN])
        side = connection.server if way == UP else connection.worker
        connection.swallows.add(way)
        try:
            if side is not None:
                side.shutdown(1)
        except OSError:
            pass  # it was gone already

    async def slow_down(self, connection):
        self.count("slowed down")
        for way in (UP, DOWN):
            connection.delay[way] = self.rng.uniform(0.01, 0.3)
        await asyncio.sleep(self.rng.uniform(0.5, 2))
        for way in (UP, DOWN):
            connection.delay[way] = 0.0

    async def lose_answers(self, connection):
        """What the worker asks is done, but it is not told, and asks again."""
        self.count("answers lost")
        connection.swallows.add(DOWN)
        await asyncio.sleep(self.rng.uniform(0.05, 0.8))
        self.reset(connection)

    async def black_hole(self, connection):
        seconds = self.rng.choice([0.3, 1, LEASE + 1.5])
        if not self.may_be_lost(seconds):
            return
        self.count("black hole")
        await self.hold([connection], seconds)

    async def partition(self):
        seconds = self.rng.uniform(0.3, LEASE + 1)
        if not self.may_be_lost(seconds):
            return
        self.count("network parted")
        await self.hold(list(self.proxy.connections), seconds)

    async def hold(self, connections, seconds):
        """Forwards nothing; then everything, late, or nothing ever."""
        self.out_of_reach += 1
        for connection in connections:
            connection.is_held = True
            for way in (UP, DOWN):
                connection.open[way].clear()
        await asyncio.sleep(seconds)
        comes_late = self.rng.random() < 0.5
        for connection in connections:
            connection.is_held = False
            for way in (UP, DOWN):
                connection.open[way].set()
            if not comes_late:
                self.reset(connection)
        self.out_of_reach -= 1

    def reset(self, connection):
        if connection in self.proxy.connections:
            connection.reset()

    # Faults of processes

    async def disturb_processes(self):
        blows = [self.kill_worker, self.kill_worker, self.suspend_worker, self.suspend_worker,
                 self.dismiss_worker, self.dismiss_worker, self.kill_coordinator,
                 self.kill_coordinator, self.suspend_coordinator, self.interrupt_coordinator]
        end = time.monotonic() + self.storm
        while time.monotonic() < end:
            await asyncio.sleep(self.rng.expovariate(1.6 * self.unruly))
            await self.rng.choice(blows)()

    async def kill_worker(self):
        if self.staff() and self.may_be_lost(LEASE):
            self.count("worker killed")
            self.rng.choice(self.staff()).kill()

    async def suspend_worker(self):
        seconds = self.rng.choice([0.5, LEASE + 1, LEASE * 2])
        if self.staff() and self.may_be_lost(seconds):
            self.count("worker suspended")
            self.spawn(self.suspend(self.rng.choice(self.staff()), seconds))

    async def suspend(self, worker, seconds):
        self.out_of_reach += 1
        worker.signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        worker.signal(signal.SIGCONT)
        self.out_of_reach -= 1

    async def dismiss_worker(self):
        if not self.staff() or not self.may_be_lost(LEASE):
            return
        self.count("worker told to leave")
        self.spawn(self.see_out(self.rng.choice(self.staff())))

    async def see_out(self, worker):
        worker.is_doomed = True
        worker.signal(signal.SIGTERM)
        # One that is suspended meanwhile takes longer.
        if not await worker.ended(LEAVE_BOUND + 2 * LEASE):
            self.problems.append(f"{worker.name} had not left {LEAVE_BOUND} s after SIGTERM")
            worker.kill()
            return
        code = worker.process.returncode
        # Before it heeds signals it has nothing in its hands.
        was_new = code == -signal.SIGTERM and not self.has_had_work(worker)
        if code not in (0, -signal.SIGKILL) and not was_new:
            self.problems.append(f"{worker.name} left with code {code} after SIGTERM")

    def has_had_work(self, worker):
        return bool(self.ask(lambda: outcome.query(
            self.database, f"SELECT 1 FROM attempts WHERE worker = '{worker.name}' LIMIT 1")))

    async def kill_coordinator(self):
        if self.may_be_lost(LEASE):
            await self.restart("coordinator killed", signal.SIGKILL)

    async def interrupt_coordinator(self):
        if self.may_be_lost(LEASE):
            await self.restart("coordinator told to leave", signal.SIGTERM)

    async def restart(self, fault, number):
        if not self.coordinator.is_running():
            return
        self.count(fault)
        self.is_restarting = True
        expected = {0, 130} if number == signal.SIGTERM and self.listens() else {0, 130, -number}
        self.coordinator.signal(number)
        code = await self.coordinator.process.wait()
        if code not in expected:
            raise Failed(f"the coordinator ended with code {code} after {number.name}")
        await asyncio.sleep(self.rng.choice([0, 0.3, LEASE / 2]))
        begun = time.monotonic()
        await self.coordinator.start()
        self.is_restarting = False
        await self.wait_until_it_listens(begun)

    async def suspend_coordinator(self):
        seconds = self.rng.choice([0.5, LEASE + 1])
        if not self.coordinator.is_running() or not self.may_be_lost(seconds):
            return
        self.count("coordinator suspended")
        self.coordinator.signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self.coordinator.signal(signal.SIGCONT)

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
