"""Results as text."""


def number(value):
    if value is None:
        return "-"
    if value >= 10000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 1000 else f"{value:.2f}"


def share_of(row):
    if row["share"] is None:
        return "-"
    return f"{row['share']:.2f} x" if row["unit"] == "µs" else f"{100 * row['share']:.1f} %"


def goal_of(row):
    goal = row.get("goal")
    if goal is None:
        return ""
    if row["share"] is None:
        text = f"{'≥' if row.get('at_least') else '≤'} {goal:g}"
    else:
        text = f"≤ {goal:g} x" if row["unit"] == "µs" else f"≥ {100 * goal:g} %"
    return f"{text} {'met' if row.get('met') else 'MISSED'}"


def remark(row):
    parts = []
    if "p99_us" in row:
        parts.append(
            f"p99 {row['p99_us']:.0f} µs, generator {100 * row['generator_busy']:.0f} % busy"
        )
    if row.get("protocol_breaches"):
        parts.append(f"{row['protocol_breaches']} PROTOCOL BREACHES")
    if "per_connection_kib" in row:
        parts.append(f"{row['per_connection_kib']:.0f} KiB per idle connection")
    if "remark" in row:
        parts.append(row["remark"])
    if row.get("void"):
        parts.append(f"VOID: the ceiling spread {100 * row['ceiling_spread']:.0f} %")
    if "error" in row:
        parts.append(row["error"])
    return "; ".join(parts)


def short(row):
    text = f"{number(row['fulmar'])} {row['unit']}"
    if row["share"] is not None:
        text += f" of {number(row['ceiling'])}, {share_of(row)}"
    return f"{text}  {goal_of(row)}"


def render(rows):
    head = ("row", "unit", "ceiling", "fulmar", "share", "goal", "")
    lines = [head] + [
        (
            r["name"],
            r["unit"],
            number(r["ceiling"]),
            number(r["fulmar"]),
            share_of(r),
            goal_of(r),
            remark(r),
        )
        for r in rows
    ]
    widths = [max(len(line[i]) for line in lines) for i in range(6)]
    return "\n".join(
        f"{line[0]:<{widths[0]}}  {line[1]:<{widths[1]}}  {line[2]:>{widths[2]}}  {line[3]:>{widths[3]}}  "
        f"{line[4]:>{widths[4]}}  {line[5]:<{widths[5]}}  {line[6]}".rstrip()
        for line in lines
    )
