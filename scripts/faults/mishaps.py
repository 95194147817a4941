"""What happens to the processes of a study, while the storm lasts."""

import asyncio
import signal
import time

import outcome
from network import LEASE

# How long a worker may take to leave that was told to, in seconds.
GRACE = 3
LEAVE_BOUND = GRACE + 12


class Failed(Exception):
    """The study did not go as it has to."""


class ProcessFaults:
    """The part of a study that kills, suspends and dismisses."""

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
