"""Runs studies under faults, several at a time, and says how they went.

main.py SWEEP TOY_WORKER [--studies N] [--seed S] [--study K] [--jobs N] [--full-disk]
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from full_disk import run_full_disk
from study import run_study


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/chaos", description="Whole studies under faults.")
    parser.add_argument("sweep", help=argparse.SUPPRESS)
    parser.add_argument("toy_worker", help=argparse.SUPPRESS)
    parser.add_argument("--studies", type=int, default=200, metavar="N", help="how many [200]")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="what is drawn [1]")
    parser.add_argument("--study", type=int, metavar="K", help="only this one, from 1")
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1), metavar="N",
                        help="how many at a time; they mostly wait [twice the cores]")
    parser.add_argument("--full-disk", action="store_true",
                        help="a study on a disk that fills up instead (as root)")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    options = arguments()
    programs = options.sweep, options.toy_worker
    if options.folder is not None:
        # One study, for the process that has started this one.
        print(json.dumps(run_study(programs, options.folder, options.seed, options.study)))
        return 0
    base = Path(tempfile.mkdtemp(prefix="sweep-chaos-"))
    # Workers that run as somebody else have folders below, and not the cache.
    base.chmod(0o755)
    (base / "cache").mkdir(mode=0o700)
    if options.full_disk:
        return run_full_disk(programs, base)
    numbers = [options.study] if options.study else list(range(1, options.studies + 1))
    return campaign(options, base, numbers)


def campaign(options, base, numbers):
    begun = time.monotonic()
    faults, attempts, passed = Counter(), Counter(), 0
    with ThreadPoolExecutor(options.jobs) as pool:
        running = {pool.submit(run_apart, options, base, number): number for number in numbers}
        for done in as_completed(running):
            number, result = running[done], done.result()
            faults.update(result["faults"])
            attempts.update(result["attempts"])
            passed += not result["problems"]
            show(options, base, number, result)
    shutil.rmtree(base / "cache")
    if not any(base.iterdir()):
        base.rmdir()
    print()
    print(f"faults: {sum(faults.values())}")
    for fault, count in faults.most_common():
        print(f"  {count:6}  {fault}")
    print(f"attempts: {sum(attempts.values())}")
    for ending, count in attempts.most_common():
        print(f"  {count:6}  {ending.replace('_', ' ')}")
    minutes, seconds = divmod(round(time.monotonic() - begun), 60)
    print(f"\n{passed} of {len(numbers)} studies left what an undisturbed one leaves "
          f"({minutes} min {seconds} s)")
    print(f"{passed} of {len(numbers)}", flush=True)
    return 0 if passed == len(numbers) else 1


def run_apart(options, base, number):
    """A study in a process of its own."""
    folder = base / f"study-{number}"
    command = [sys.executable, __file__, options.sweep, options.toy_worker,
               "--seed", str(options.seed), "--study", str(number), "--folder", str(folder)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        problem = f"the script itself went wrong: {done.stderr[-2000:]}"
        return {"about": "?", "seconds": 0.0, "faults": {}, "attempts": {}, "problems": [problem]}
    return json.loads(done.stdout)


def show(options, base, number, result):
    faults = sum(result["faults"].values())
    again = sum(count for ending, count in result["attempts"].items() if ending != "finished")
    verdict = "wrong" if result["problems"] else "as undisturbed"
    print(f"{number:4}  {result['about']}: {faults} faults, {again} attempts in vain, "
          f"{result['seconds']:.1f} s: {verdict}", flush=True)
    if not result["problems"]:
        return
    for problem in result["problems"]:
        print(f"      {problem}")
    counted = ", ".join(f"{count} x {fault}" for fault, count in sorted(result["faults"].items()))
    print(f"      faults: {counted}")
    print(f"      kept in {base / f'study-{number}'}; again with")
    print(f"      scripts/chaos --seed {options.seed} --study {number}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
