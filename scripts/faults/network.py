"""What goes wrong between workers and their coordinator, while the storm lasts."""

import asyncio
import time

from proxy import DOWN, UP

# After how long of silence a worker is lost, in seconds.
LEASE = 3


class NetworkFaults:
    """The part of a study that disturbs its connections."""

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

    async def cut(self, connection):
        self.count("cut")
        self.reset(connection)

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
        # It may have ended since it was chosen.
        if connection in self.proxy.connections:
            connection.reset()
