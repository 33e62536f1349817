"""The page's style: one light theme for screen and A4 paper."""

STYLE = """\
:root { --ink: #1b2733; --muted: #566370; --faint: #8b96a1; --rule: #d6dce2; --wash: #f4f6f8;
  --g0: #1f5a94; --g1: #b34f00; --g2: #2c7a4b; --g3: #7a3e8f;
  --k0: #7a3e8f; --k1: #2f6ea5; --k2: #6d7f90; --k3: #3f8a5a; --k4: #a0741a; --k5: #b0496b;
  --s0: #7a3e8f; --s1: #8fb4d6; --s2: #cfdbe6; --s3: #a9c7b4; --s4: #e2cfae; --s5: #d8b7c2; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; color: var(--ink); background: #fff; overflow-wrap: anywhere;
  font: 16px/1.5 "Source Sans 3", "Segoe UI", "Helvetica Neue", Arial, "Liberation Sans",
    "Noto Sans", "Noto Sans CJK JP", sans-serif; }
main { max-width: 960px; margin: 0 auto; padding: 40px 24px 64px; }
h1, h2, h3, h4 { line-height: 1.2; margin: 0; font-weight: 600; break-after: avoid; }
h1 { font-size: 38px; letter-spacing: -0.012em; margin: 4px 0 12px; }
h2 { font-size: 23px; margin: 0 0 10px; }
h3 { font-size: 17px; margin: 28px 0 8px; }
h4 { font-size: 15px; margin: 20px 0 6px; }
p { margin: 0 0 12px; max-width: 44em; }
ul { margin: 0 0 12px; padding-left: 20px; }
li { margin: 2px 0; max-width: 44em; }
main > section { margin-top: 64px; border-top: 1px solid var(--rule); padding-top: 28px; }
#calibration { margin-top: 48px; }
.kicker { color: var(--muted); font-size: 14px; margin: 0; }
.lead { font-size: 19px; line-height: 1.45; margin-bottom: 26px; max-width: 40em; }
.small { font-size: 14px; color: var(--muted); }
.muted { color: var(--muted); font-weight: 400; }
.absent { color: var(--muted); font-style: italic; }
.card h2 { font-size: 17px; margin-bottom: 6px; }
.headline { border: 1px solid var(--rule); border-left: 4px solid var(--g0);
  padding: 20px 24px 12px; }
.pair { display: grid; grid-template-columns: auto 1fr; gap: 0 28px; align-items: center; }
.big { font-size: 58px; line-height: 1; font-weight: 600; color: var(--g0); margin: 4px 0 12px;
  white-space: nowrap; font-variant-numeric: tabular-nums; letter-spacing: -0.02em; }
.big .unit { font-size: 20px; font-weight: 400; letter-spacing: 0; color: var(--muted); }
.big.absent { font-size: 22px; line-height: 1.3; white-space: normal; color: var(--muted); }
.scale { display: block; width: 100%; max-width: 720px; margin: 4px 0 10px; }
.cautions { font-size: 15px; }
.facts { display: flex; flex-wrap: wrap; gap: 8px 36px; margin: 22px 0; }
.facts div { flex: 1 1 auto; }
.facts dt { font-size: 14px; color: var(--muted); }
.facts dd { margin: 0; font-size: 24px; font-weight: 600; font-variant-numeric: tabular-nums; }
.facts span { font-size: 14px; font-weight: 400; color: var(--muted); }
.columns { display: grid; grid-template-columns: 1fr 1fr; gap: 0 44px; }
.columns > section > h2:not(:first-child) { margin-top: 20px; }
.unmeasured { background: var(--wash); padding: 18px 24px 10px; margin-top: 14px; }
nav { margin-top: 22px; font-size: 15px; }
nav a { color: var(--g0); margin-right: 18px; }
a:focus-visible { outline: 3px solid var(--g1); outline-offset: 2px; }
.wide { overflow-x: auto; }
table th:first-child { overflow-wrap: break-word; min-width: 9em; }
table { border-collapse: collapse; width: 100%; font-size: 15px; line-height: 1.35;
  font-variant-numeric: tabular-nums; margin: 6px 0 12px; }
table.narrow { width: auto; min-width: 60%; }
th, td { text-align: left; vertical-align: baseline; padding: 6px 12px 6px 0; }
th:last-child, td:last-child { padding-right: 0; }
thead th { font-size: 13px; font-weight: 600; color: var(--muted); line-height: 1.2;
  vertical-align: bottom; border-bottom: 1px solid var(--ink); }
thead td { border-bottom: 1px solid var(--ink); }
tbody th { font-weight: 400; }
tbody tr { border-bottom: 1px solid #e9edf0; break-inside: avoid; }
tfoot tr { border-top: 1px solid var(--ink); }
tbody tr.first:not(:first-child) { border-top: 1px solid var(--faint); }
.num { text-align: right; white-space: nowrap; }
td.num.strong, tr.overall th, tr.within th { font-weight: 600; }
tr.within td.num.strong { font-weight: 600; }
.tag, .note { font-size: 13px; color: var(--muted); }
.tag { border: 1px solid var(--rule); border-radius: 3px; padding: 0 5px; white-space: nowrap; }
.note { display: block; font-style: italic; }
.forest td, .forest tbody th { padding-top: 2px; padding-bottom: 2px; vertical-align: middle; }
.forest tbody tr { border-bottom: 0; }
.forest tbody tr.within, .forest tbody tr.overall:not(:has(+ .within)) {
  border-bottom: 1px solid var(--rule); }
.forest .picture { position: relative; padding: 0 18px 0 8px; width: 1px; }
.forest .picture svg { display: block; overflow: visible; }
.forest .picture svg.lines { position: absolute; top: 0; left: 8px; height: 100%; }
.lines line { vector-effect: non-scaling-stroke; }
tr.unsure th, tr.unsure td, tr.unsure td .muted { color: #6b7682; font-weight: 400; }
.even th:nth-child(n+3), .even td:nth-child(n+3) { width: 34%; padding-left: 18px; }
.record th { font-weight: 400; color: var(--muted); width: 40%; }
.hashes { font-size: 13px; }
.hashes th { width: 32%; }
code { font: 12px/1.4 "SF Mono", Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace; }
.settings { columns: 2; column-gap: 44px; margin: 0 0 12px; font-size: 14px; }
.settings div { display: flex; justify-content: space-between; gap: 16px; break-inside: avoid;
  border-bottom: 1px solid #e9edf0; padding: 2px 0; }
.settings dt { color: var(--muted); }
.settings dd { margin: 0; text-align: right; }
figure { margin: 0 0 12px; break-inside: avoid; }
figure > svg { display: block; width: 100%; height: auto; }
figcaption { font-size: 15px; font-weight: 600; margin-bottom: 4px; }
.panels { display: grid; gap: 16px 28px; margin-bottom: 12px; }
.panels.three { grid-template-columns: repeat(3, 1fr); }
.panels.two { grid-template-columns: repeat(2, 1fr); }
.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 4px 26px;
  font-size: 15px; }
.legend svg { vertical-align: middle; margin-right: 4px; }
.chip { display: inline-block; width: 14px; height: 14px; margin-right: 7px;
  vertical-align: -2px; }
svg text { font-family: inherit; font-size: 13px; fill: var(--muted); }
svg text.ink, svg text.title { fill: var(--ink); }
.middle { text-anchor: middle; }
.end { text-anchor: end; }
.grid { stroke: #e6eaee; }
.axis { stroke: #7b8792; }
.chance { stroke: var(--faint); stroke-dasharray: 2 3; }
.pooled { stroke: var(--g0); stroke-opacity: 0.35; }
.range { stroke: var(--g0); stroke-width: 2; }
.point, .arrow { fill: var(--g0); }
tr.unsure .range { stroke: #aab3bc; stroke-width: 1.5; }
tr.unsure .point, tr.unsure .arrow { fill: #aab3bc; }
.line { fill: none; stroke-width: 2.2; stroke-linejoin: round; }
.line.g1 { stroke-dasharray: 7 3; }
.line.g2 { stroke-dasharray: 2 3; }
.line.g3 { stroke-dasharray: 9 3 2 3; }
.key { stroke-width: 3; }
.g0 { stroke: var(--g0); } .g1 { stroke: var(--g1); } .g2 { stroke: var(--g2); }
.g3 { stroke: var(--g3); }
.band { stroke: none; fill-opacity: 0.13; }
.band.g0 { fill: var(--g0); } .band.g1 { fill: var(--g1); } .band.g2 { fill: var(--g2); }
.band.g3 { fill: var(--g3); }
.key-text.g0 { color: var(--g0); } .key-text.g1 { color: var(--g1); }
.k0 { stroke: var(--k0); } .k1 { stroke: var(--k1); } .k2 { stroke: var(--k2); }
.k3 { stroke: var(--k3); } .k4 { stroke: var(--k4); } .k5 { stroke: var(--k5); }
.band.k0, .dot.k0 { fill: var(--k0); } .band.k1, .dot.k1 { fill: var(--k1); }
.band.k2, .dot.k2 { fill: var(--k2); } .band.k3, .dot.k3 { fill: var(--k3); }
.band.k4, .dot.k4 { fill: var(--k4); } .band.k5, .dot.k5 { fill: var(--k5); }
path.band { stroke: none; }
.dot.g0 { fill: var(--g0); }
.c0 { background: var(--k0); } .c1 { background: var(--k1); } .c2 { background: var(--k2); }
.c3 { background: var(--k3); } .c4 { background: var(--k4); } .c5 { background: var(--k5); }
.ink-k0 { color: var(--k0); } .ink-k1 { color: var(--k1); } .ink-k2 { color: var(--k2); }
.ink-k3 { color: var(--k3); } .ink-k4 { color: var(--k4); } .ink-k5 { color: var(--k5); }
.ink-g0 { color: var(--g0); }
.small-multiples td, .small-multiples tbody th { vertical-align: middle; padding-top: 2px;
  padding-bottom: 2px; }
.rounds th:first-child { min-width: 0; }
.spark { white-space: nowrap; }
.spark svg { vertical-align: middle; margin-right: 8px; }
.spark > span { font-size: 13px; display: inline-block; vertical-align: middle; }
.matrix td { padding: 6px 10px; }
.alerts { border: 1px solid var(--rule); border-left: 4px solid var(--g1);
  padding: 12px 20px 6px; margin: 0 0 20px; break-inside: avoid; }
.alerts.none { border-left-color: var(--g2); }
.alerts h3 { margin-top: 0; }
.alerts li, .alerts p { max-width: none; }
.chosen { fill: #fff; fill-opacity: 0; stroke: var(--ink); stroke-width: 2; }
.whisker { stroke: var(--ink); stroke-width: 1.4; fill: none; }
.s0 { fill: var(--s0); background: var(--s0); } .s1 { fill: var(--s1); background: var(--s1); }
.s2 { fill: var(--s2); background: var(--s2); } .s3 { fill: var(--s3); background: var(--s3); }
.s4 { fill: var(--s4); background: var(--s4); } .s5 { fill: var(--s5); background: var(--s5); }
@media (max-width: 720px) {
  .columns, .panels.two, .panels.three, .pair { grid-template-columns: 1fr; }
  .settings { columns: 1; }
}
@page { size: A4; margin: 15mm 16mm 16mm;
  @bottom-right { content: counter(page) " / " counter(pages); font: 9pt sans-serif;
    color: #566370; } }
@media print {
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: 9.6pt; line-height: 1.4; }
  main { max-width: none; padding: 0; }
  h1 { font-size: 21pt; }
  h2 { font-size: 14pt; }
  h3 { font-size: 11pt; margin-top: 14pt; }
  .card h2 { font-size: 10.6pt; margin-bottom: 3pt; }
  .card { break-after: page; }
  .lead { font-size: 11pt; margin-bottom: 12pt; }
  .big { font-size: 34pt; }
  .big .unit { font-size: 12pt; }
  .headline { padding: 9pt 13pt 4pt; }
  .facts { margin: 10pt 0; } .facts dd { font-size: 14pt; }
  .facts dt, .facts span, .small { font-size: 8.6pt; }
  .cautions, table, .legend, figcaption { font-size: 9pt; }
  thead th, .tag, .note { font-size: 8pt; }
  .hashes, code, .settings { font-size: 7.8pt; }
  .unmeasured { padding: 9pt 13pt 4pt; margin-top: 4pt; break-inside: avoid; }
  p, ul { margin-bottom: 6pt; }
  p, li { max-width: none; }
  main > section { margin-top: 20pt; padding-top: 12pt; }
  #calibration { margin-top: 20pt; }
  th, td { padding-top: 3pt; padding-bottom: 3pt; }
  .forest td, .forest tbody th { padding-top: 0; padding-bottom: 0; }
  .forest .picture svg { width: 215px; }
  .forest .picture svg:not(.lines) { height: auto; }
  .headline, .columns, .panels, .legend, .keep { break-inside: avoid; }
  nav { display: none; }
  .wide { overflow: visible; }
  svg text { font-size: 13px; }
}
"""
"""CSS; the rules for print stand last."""
