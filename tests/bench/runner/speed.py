"""The rows that have a ceiling: the same exchange with and without NVMe, alternating."""

import dataclasses
import statistics

from .machine import BenchError

SPREAD_MAX = 0.15   # of the ceiling, (max - min) / median: more voids the row
ATTEMPTS = 3


@dataclasses.dataclass(frozen=True)
class Speed:
    name: str
    kind: str            # read or write
    block: int
    depth: int
    connections: int
    unit: str            # IO/s, MiB/s, or µs (mean latency, lower is better)
    goal: float          # the share to reach

    def ceiling_value(self, answer):
        return {"IO/s": answer["iops"], "MiB/s": answer["mib_per_s"], "µs": answer["mean_us"]}[self.unit]

    def fulmar_value(self, answer):
        return {"IO/s": answer["iops"], "MiB/s": answer["bytes_per_s"] / (1 << 20),
                "µs": answer[self.kind]["mean_us"]}[self.unit]

    def once(self, machine):
        """One alternating series: the values of both sides, and the answers of the load generator."""
        shape = ["--block-size", self.block, "--queue-depth", self.depth, "--connections",
                 self.connections]
        ceilings, fulmars, answers = [], [], []
        target = machine.target()
        for _ in range(machine.options.runs):
            ceilings.append(self.ceiling_value(machine.ceiling("--kind", self.kind, *shape)))
            answers.append(machine.load(target, "--mix", self.kind, *shape))
            fulmars.append(self.fulmar_value(answers[-1]))
        return ceilings, fulmars, answers

    def measure(self, machine):
        best = None
        try:
            for _ in range(1 if machine.options.quick else ATTEMPTS):
                series = self.once(machine)
                spread = (max(series[0]) - min(series[0])) / statistics.median(series[0])
                if best is None or spread < best[0]:
                    best = (spread, series)
                if spread <= SPREAD_MAX or machine.options.quick:
                    break
                print("unsteady ", end="", flush=True)
        except BenchError as error:
            print(f"{error} ", end="", flush=True)
            return {"name": self.name, "unit": self.unit, "ceiling": None, "fulmar": None,
                    "share": None, "error": str(error)}
        spread, (ceilings, fulmars, answers) = best
        ceiling, fulmar = statistics.median(ceilings), statistics.median(fulmars)
        median = answers[fulmars.index(sorted(fulmars)[len(fulmars) // 2])]
        share = fulmar / ceiling
        return {"name": self.name, "unit": self.unit, "ceiling": round(ceiling, 3),
                "fulmar": round(fulmar, 3), "share": round(share, 4), "goal": self.goal,
                "met": share <= self.goal if self.unit == "µs" else share >= self.goal,
                "ceiling_spread": round(spread, 4),
                "void": spread > SPREAD_MAX and not machine.options.quick,
                "p50_us": median[self.kind]["p50_us"], "p99_us": median[self.kind]["p99_us"],
                "target_us_per_command": round(median["target_cpu"]["us_per_command"], 4),
                "generator_busy": round(median["load_generator"]["busy_share"], 3),
                "protocol_breaches": sum(a["protocol_breaches"] for a in answers),
                "ceilings": ceilings, "fulmars": fulmars}


K4, K128 = 4096, 131072
ROWS = [
    Speed("read-4k-qd1", "read", K4, 1, 1, "µs", 1.6),
    Speed("write-4k-qd1", "write", K4, 1, 1, "µs", 1.6),
    Speed("read-4k-qd32", "read", K4, 32, 1, "IO/s", 0.40),
    Speed("read-4k-qd128", "read", K4, 128, 1, "IO/s", 0.40),
    Speed("write-4k-qd128", "write", K4, 128, 1, "IO/s", 0.40),
    Speed("read-4k-16x8", "read", K4, 8, 16, "IO/s", 0.45),
    Speed("read-4k-64x1", "read", K4, 1, 64, "IO/s", 0.60),
    Speed("read-128k-qd32", "read", K128, 32, 1, "MiB/s", 0.90),
    Speed("write-128k-qd32", "write", K128, 32, 1, "MiB/s", 0.90),
]
