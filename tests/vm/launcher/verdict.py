"""What became of a scenario, how it is printed, and the count at the end."""

import enum
from dataclasses import dataclass


class Outcome(enum.Enum):
    PASS = "PASS"
    FAIL = "FAIL"
    SKIP = "SKIP"


@dataclass(frozen=True)
class Verdict:
    name: str
    outcome: Outcome
    seconds: float
    reason: str = ""  # one line
    evidence: str = ""  # many: the end of a log, or what was measured

    def line(self) -> str:
        reason = f"  {self.reason}" if self.reason else ""
        return f"{self.outcome.value} {self.name} ({self.seconds:.1f} s){reason}"

    def show(self) -> None:
        print(self.line(), flush=True)
        for line in self.evidence.splitlines():
            print("    | " + line, flush=True)


def count(verdicts: list[Verdict]) -> str:
    def number(outcome: Outcome) -> int:
        return sum(verdict.outcome is outcome for verdict in verdicts)

    return f"{number(Outcome.PASS)} passed, {number(Outcome.FAIL)} failed, {number(Outcome.SKIP)} skipped"


def failed(verdicts: list[Verdict]) -> bool:
    return any(verdict.outcome is Outcome.FAIL for verdict in verdicts)
