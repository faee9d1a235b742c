"""`python -m benchmarks`: all of it, with a progress bar; writes RESULTS.md and results.png."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks import measure, photos, profile, report, scale
from benchmarks.settings import SETTINGS

HERE = Path(__file__).parent
# Photographs in each set, and epochs of each process: 2 to 10 seconds of work for each peer.
FULL = {"small": (2000, 2), "camera": (300, 2)}
QUICK = {"small": (192, 1), "camera": (32, 1)}
QUICK_PEERS = {
    "small": ("classic", "keras", "tfpipe", "libjpeg_turbo"),
    "camera": ("classic", "tfpipe", "libjpeg_turbo"),
}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few peers and files: one minute")
    parser.add_argument("--rounds", type=int, help="default: 3; with --quick 1")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, help="some of the comparisons")
    parser.add_argument("--peers", nargs="+", help="some of the loaders; the classic always runs")
    parser.add_argument(
        "--data", type=Path, default=HERE / "data", help="where the photographs are kept"
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="folder of RESULTS.md and results.png [default: benchmarks, where all is measured]",
    )
    arguments = parser.parse_args(argv)
    rounds = arguments.rounds or (1 if arguments.quick else 3)
    plan = _plan(arguments.quick, arguments.settings, arguments.peers)
    sizes = QUICK if arguments.quick else FULL
    results: report.Results = {setting: {} for setting in plan}
    columns = ("{task.description:<34}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*[TextColumn(c) if isinstance(c, str) else c for c in columns]) as progress:
        names = {SETTINGS[setting].photos for setting in plan}
        directories = {
            name: _photos(arguments.data, name, sizes[name][0], progress) for name in names
        }
        task = progress.add_task("", total=rounds * sum(map(len, plan.values())))
        for number in range(rounds):
            for setting, peers in plan.items():
                name = SETTINGS[setting].photos

                def step(peer: str, number: int = number, setting: str = setting) -> None:
                    label = f"round {number + 1}/{rounds}  {setting}: {peer}"
                    progress.update(task, description=label)

                for peer in peers:
                    measure.one_round(
                        [peer],
                        setting,
                        str(directories[name]),
                        sizes[name][1],
                        results[setting],
                        step,
                    )
                    progress.advance(task)
    print("\n".join(report.console(results)))
    in_part = arguments.quick or arguments.settings or arguments.peers
    if in_part and arguments.output is None:  # RESULTS.md says all, or nothing
        return
    print("Where the time goes, and scale ...")
    folder = arguments.output or HERE
    folder.mkdir(parents=True, exist_ok=True)
    how = "python -m benchmarks" + (" --quick" if arguments.quick else f" --rounds {rounds}")
    found_scale = "" if in_part else scale.as_markdown(scale.measure(arguments.data))
    found_profile = profile.as_markdown({n: str(path) for n, path in directories.items()})
    text = report.document(results, found_scale, found_profile, how, measure.environment())
    (folder / "RESULTS.md").write_text(text, "utf-8")
    everything = {s: {p: asdict(m) for p, m in peers.items()} for s, peers in results.items()}
    (folder / "results.json").write_text(json.dumps(everything, indent=1) + "\n", "utf-8")
    report.plot(results, folder / "results.png")
    print(f"Written: {folder / 'RESULTS.md'}, {folder / 'results.png'}")


def _plan(quick: bool, settings: list[str] | None, peers: list[str] | None) -> dict[str, list[str]]:
    """The peers to run in each setting, those that cannot run here left out."""
    chosen = settings or list(QUICK_PEERS if quick else SETTINGS)
    plan = {}
    for setting in chosen:
        candidates = QUICK_PEERS[setting] if quick and not settings else SETTINGS[setting].peers
        plan[setting] = [
            peer
            for peer in candidates
            if measure.available(peer) and (not peers or peer == "classic" or peer in peers)
        ]
    return plan


def _photos(data: Path, name: str, count: int, progress: Progress) -> Path:
    task = progress.add_task(f"photographs: {name}", total=count)
    directory = photos.write_set(
        data / f"{name}-{count}", name, count, lambda: progress.advance(task)
    )
    progress.update(task, visible=False)
    return directory


if __name__ == "__main__":
    main()
