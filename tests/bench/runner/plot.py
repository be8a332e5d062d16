"""An SVG of the shares: one bar per row, the ceiling as a line, the goal as a tick."""

from html import escape

WIDTH, LEFT, RIGHT, BAR, GAP, TOP = 860, 170, 210, 18, 12, 64
FULL = 1.25   # the right end of the scale, as a share of the ceiling


def speed_of(row):
    """Higher is better for all: of a latency, the inverse."""
    return 1 / row["share"] if row["unit"] == "µs" else row["share"]


def goal_of(row):
    goal = row.get("goal")
    return None if goal is None else (1 / goal if row["unit"] == "µs" else goal)


def render(rows, facts):
    shown = [row for row in rows if row["share"]]
    height = TOP + len(shown) * (BAR + GAP) + 40
    scale = (WIDTH - LEFT - RIGHT) / FULL
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
           'font-size="13">',
           f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
           f'<text x="{LEFT}" y="22" font-size="16" fill="#222">Fulmar as a share of the loopback ceiling</text>',
           f'<text x="{LEFT}" y="42" fill="#666">{escape(facts["cpu"])}, Linux {escape(facts["kernel"])}; '
           'tick: goal; latencies as ceiling ÷ Fulmar</text>']
    for index, row in enumerate(shown):
        y = TOP + index * (BAR + GAP)
        length = min(speed_of(row), FULL) * scale
        colour = "#b9b9b9" if row.get("void") else "#2a7f62" if row.get("met", True) else "#c4572e"
        text = (f'{row["share"]:.2f} × ({row["fulmar"]:.1f} of {row["ceiling"]:.1f} µs)' if row["unit"] == "µs"
                else f'{100 * row["share"]:.0f} % ({row["fulmar"]:,.0f} of {row["ceiling"]:,.0f} {row["unit"]})')
        out.append(f'<text x="{LEFT - 10}" y="{y + 14}" text-anchor="end" fill="#222">{escape(row["name"])}</text>')
        out.append(f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" fill="{colour}"/>')
        goal = goal_of(row)
        if goal is not None:
            at = LEFT + goal * scale
            out.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y - 3}" y2="{y + BAR + 3}" stroke="#222" '
                       'stroke-width="2"/>')
        out.append(f'<text x="{max(LEFT + length, LEFT + scale) + 8:.1f}" y="{y + 14}" fill="#444">{escape(text)}</text>')
    at = LEFT + scale
    out.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP - 8}" y2="{height - 34}" stroke="#888" '
               'stroke-dasharray="4 3"/>')
    out.append(f'<text x="{at:.1f}" y="{height - 16}" text-anchor="middle" fill="#666">ceiling</text></svg>')
    return "\n".join(out) + "\n"
