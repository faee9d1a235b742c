"""What was measured, as Markdown and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import Measured
from benchmarks.settings import SETTINGS, TARGETS

Results = dict[str, dict[str, Measured]]  # setting -> peer -> what it took

# As a reader knows them.
NAMES = {
    "classic": "classic generator",
    "classic_fit": "classic generator under `fit`, a thread a core",
    "keras": "Keras' `image_dataset_from_directory` (bilinear)",
    "keras_layers": "the same with Keras' preprocessing layers",
    "torchvision": "torchvision, a worker a core",
    "tfpipe": "**tfpipe**",
    "tfpipe_raise": '**tfpipe**, `on_error="raise"`',
    "tfpipe_skip": '**tfpipe**, `on_error="skip"`',
    "tfpipe_check": "`tfpipe check`",
    "tfpipe_fit": "**tfpipe** under `fit`",
    "tfpipe_fast": '**tfpipe**, `decoding="fast"`',
    "tfpipe_memory": '**tfpipe**, `cache="memory"`, from the second epoch',
    "tfpipe_disk": "**tfpipe**, `cache=DIRECTORY`, from the second epoch",
    "tfpipe_shards": "**tfpipe**, packed: raw",
    "tfpipe_shards_jpeg": "**tfpipe**, packed: JPEG",
    "libjpeg_turbo": "the limit: libjpeg-turbo alone, all cores",
    "libjpeg_turbo_scaled": 'the limit with `decoding="fast"`: libjpeg-turbo alone, scaled',
}


def table(peers: dict[str, Measured]) -> str:
    """One setting: medians of the rounds, ratios to the first peer in the same round."""
    base = next(iter(peers.values()))
    lines = [
        "| loader | images/s | times the classic | CPU ms an image | peak memory, MB |",
        "|---|---|---|---|---|",
    ]
    for name, measured in peers.items():
        lines.append(
            f"| {NAMES[name]} | {measured.median('rate'):,.0f} | {measured.times(base):.2f} "
            f"| {measured.median('cpu_ms'):.2f} | {measured.median('peak_mb'):,.0f} |"
        )
    return "\n".join(lines)


def targets(results: Results) -> str:
    """Every target, and what was reached."""
    lines = ["| target | wanted | reached | |", "|---|---|---|---|"]
    for target in TARGETS:
        peers = results.get(target.setting, {})
        what = f"{target.setting}: {NAMES[target.peer]} against {NAMES[target.base]}"
        what += f" ({target.note})" if target.note else ""
        if target.peer not in peers or target.base not in peers:
            lines.append(f"| {what} | {target.times:g} | not measured | |")
            continue
        times = peers[target.peer].times(peers[target.base])
        verdict = "reached" if times >= target.times else "**missed**"
        lines.append(f"| {what} | {target.times:g} | {times:.2f} | {verdict} |")
    return "\n".join(lines)


def memory(results: Results) -> str:
    """The peak of a training process, beside that of Keras' function."""
    peers = results.get("small", {})
    if not {"tfpipe", "keras"} <= set(peers):
        return ""
    ours, theirs = peers["tfpipe"].median("peak_mb"), peers["keras"].median("peak_mb")
    verdict = "reached" if ours < 1.2 * theirs else "**missed**"
    return (
        f"| peak memory against Keras' function | at most 1.2 | {ours / theirs:.2f} | {verdict} |"
    )


def document(results: Results, scale: str, profile: str, how: str, environment: str) -> str:
    """RESULTS.md."""
    parts = [
        "# Measured speed",
        f"By `{how}`. {environment}.",
        "Medians; every peer ran once a round in a process of its own, in turns. Whole epochs, from the "
        "start of the iterator to its deletion, after one epoch to warm up. Ratios are those of the same "
        "round. The files were in the page cache.",
        "![images per second](results.png)",
        "## Targets",
        f"{targets(results)}\n{memory(results)}".strip(),
    ]
    for name, peers in results.items():
        parts += [f"## {SETTINGS[name].title}", table(peers)]
    parts += ["## Where the time goes", profile] if profile else []
    parts += ["## Scale", scale] if scale else []
    return "\n\n".join(parts) + "\n"


def plot(results: Results, path: Path) -> None:
    """Bars of images/s, a panel a setting."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = [len(peers) for peers in results.values()]
    figure, panels = plt.subplots(
        len(results),
        1,
        figsize=(9, 0.42 * sum(rows) + 1.1 * len(rows)),
        gridspec_kw={"height_ratios": rows},
        squeeze=False,
        layout="constrained",
    )
    for panel, (name, peers) in zip(panels[:, 0], results.items(), strict=True):
        rates = [measured.median("rate") for measured in peers.values()]
        colours = [_colour(peer) for peer in peers]
        labels = [NAMES[peer].replace("*", "").replace("`", "") for peer in peers]
        bars = panel.barh(labels, rates, color=colours)
        base = next(iter(peers.values()))  # ratios as in the table: round by round
        times = [measured.times(base) for measured in peers.values()]
        texts = [f"{rate:,.0f}  ({ratio:.1f}x)" for rate, ratio in zip(rates, times, strict=True)]
        panel.bar_label(bars, texts, padding=4)
        panel.set_xlim(0, max(rates) * 1.3)
        panel.invert_yaxis()
        title = SETTINGS[name].title.replace("`", "")
        panel.set_title(title, loc="right", fontsize=10, fontweight="bold")
        panel.spines[["top", "right"]].set_visible(False)
    panels[-1, 0].set_xlabel("images/s (times the classic generator)")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _colour(peer: str) -> str:
    if peer.startswith("tfpipe"):
        return "#1f6fb4"
    return "#c9c9c9" if peer.startswith("libjpeg_turbo") else "#8f8f8f"


def console(results: Results) -> Sequence[str]:
    """The same for a terminal, a line a peer."""
    lines = []
    for setting, peers in results.items():
        lines.append(SETTINGS[setting].title)
        base = next(iter(peers.values()))
        for name, measured in peers.items():
            label = NAMES[name].replace("*", "").replace("`", "")
            rate, times = measured.median("rate"), measured.times(base)
            lines.append(f"  {label:<58}{rate:>8,.0f} images/s {times:>7.2f} x")
    return lines
