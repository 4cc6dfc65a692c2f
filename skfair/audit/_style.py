"""How the page looks: on screens of any width, in light and dark, on paper."""

STYLE = """
.skfair { --ink: #1b1f24; --paper: #fff; --soft: #f3f5f7; --line: #c9d0d8; --quiet: #4d5762;
  --accent: #0b5394; --alarm: #8a1c0f; color: var(--ink); background: var(--paper);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; margin: 0 auto;
  max-width: 76rem; padding: 1rem; }
.skfair h1 { font-size: 1.7rem; line-height: 1.2; margin: .3rem 0; }
.skfair h2 { font-size: 1.2rem; margin: 1.4rem 0 .4rem; }
.skfair h3 { font-size: 1rem; margin: 1.1rem 0 .3rem; }
.skfair p, .skfair ul, .skfair dl { max-width: 56rem; margin: .4rem 0; }
.skfair li { margin: .15rem 0; }
.skfair a { color: var(--accent); }
.skfair .alarm, .skfair .headline { border-left: 4px solid var(--accent); background: var(--soft);
  padding: .5rem 1rem; max-width: 56rem; }
.skfair .alarm { border-color: var(--alarm); }
.skfair .alarm strong { color: var(--alarm); }
.skfair .quiet, .skfair .few, .skfair .range, .skfair .unit { color: var(--quiet); }
.skfair .quiet, .skfair .note { font-size: .85rem; }
.skfair .few { font-style: italic; }
.skfair nav ul { columns: 2 18rem; padding-left: 1.2rem; }
.skfair details { border-top: 1px solid var(--line); }
.skfair details > div { padding-bottom: 1rem; }
.skfair summary { cursor: pointer; padding: .5rem 0; }
.skfair summary h2 { display: inline; margin: 0; }
.skfair .scroll { overflow-x: auto; }
.skfair table { border-collapse: collapse; font-size: .9rem; }
.skfair th, .skfair td { border-bottom: 1px solid var(--line); padding: .25rem .5rem;
  text-align: left; vertical-align: top; }
.skfair thead th { vertical-align: bottom; }
.skfair tbody th { overflow-wrap: anywhere; }
.skfair .number { text-align: right; font-variant-numeric: tabular-nums; }
.skfair td.number span, .skfair td.model { white-space: nowrap; }
.skfair .range { display: block; font-size: .92em; }
.skfair .narrow .range { display: inline; }
.skfair tr.all th, .skfair tr.all td { background: var(--soft); }
.skfair tr.block th { border: 0; padding-top: .9rem; }
.skfair figure { display: inline-block; margin: .6rem 0; vertical-align: top; }
.skfair svg { max-width: 100%; height: auto; }
.skfair dt { font-weight: 600; }
.skfair dd { margin: 0 0 .4rem; overflow-wrap: anywhere; }
.skfair .unopened { display: none; }
@media screen and (max-width: 64rem) {
  .skfair table, .skfair tbody { display: block; }
  .skfair thead { position: absolute; left: -9999px; }
  .skfair .scroll { position: relative; }
  .skfair tr { display: grid; grid-template-columns: repeat(auto-fill, minmax(6rem, 1fr));
    border-bottom: 1px solid var(--line); padding: .3rem 0; }
  .skfair tbody th, .skfair td { display: block; border: 0; padding: .1rem .3rem; }
  .skfair tbody th, .skfair td.says, .skfair td.model { grid-column: 1 / -1; }
  .skfair .number { text-align: left; }
  .skfair td[data-label]::before { content: attr(data-label); display: block;
    color: var(--quiet); font: normal .85rem/1.3 system-ui, sans-serif; }
}
@media (prefers-color-scheme: dark) {
  .skfair { --ink: #e6e9ec; --paper: #14181d; --soft: #1f252c; --line: #3b444e; --quiet: #aab4be;
    --accent: #7ab8f5; --alarm: #ff9d8f; }
  body.skfair-page { background: #14181d; }
}
@media print {
  .skfair { --ink: #000; --paper: #fff; --soft: #f3f5f7; --line: #999; --quiet: #333;
    --accent: #000; --alarm: #000; max-width: none; padding: 0; font-size: 9.5pt;
    line-height: 1.35; }
  body.skfair-page { background: #fff; }
  .skfair table { font-size: 7.5pt; }
  .skfair th, .skfair td { padding: .1rem .3rem; }
  .skfair h2, .skfair h3, .skfair summary, .skfair thead { break-after: avoid; }
  .skfair tr, .skfair figure, .skfair li { break-inside: avoid; }
  .skfair figure { width: 48%; }
  .skfair summary { list-style: none; }
  .skfair .scroll { overflow: visible; }
  .skfair .unopened { display: block; }
}
@supports selector(::details-content) {
  @media print {
    .skfair details::details-content { content-visibility: visible; display: block; }
    .skfair .unopened { display: none; }
  }
}
"""
