// page.ts -- The report as one page that needs no network: tables and plots of every part that was ever run.

import { escaped } from './plot.ts';
import type { Report } from './report.ts';
import { type Section, sectionsOf } from './sections.ts';
import type { Table } from './tables.ts';

export function reportPage(report: Report): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Coupon issuing: bench</title><style>${style}</style></head>
<body><h1>Coupon issuing: bench</h1>
<p class="key"><b class="ceiling">ceiling</b> <b class="system">this system</b> <b class="ordinary">the ordinary way</b></p>
${sectionsOf(report).map(sectionHtml).join('\n')}
</body></html>
`;
}

function sectionHtml({ title, words, tables, plots }: Section): string {
  return [
    `<h2>${escaped(title)}</h2>`,
    ...words.map((text) => `<p>${escaped(text)}</p>`),
    ...tables.map(tableHtml),
    `<div class="plots">${plots.join('\n')}</div>`,
  ].join('\n');
}

function tableHtml([head = [], ...rows]: Table): string {
  const line = (tag: string, cells: readonly string[]) =>
    `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join('')}</tr>`;
  return `<div class="wide"><table>${line('th', head)}${rows.map((row) => line('td', row)).join('')}</table></div>`;
}

const style = `
:root { color-scheme: light dark; --ink: light-dark(#1c2024, #e6e8eb); --paper: light-dark(#fff, #16181b);
  --line: light-dark(#d9dde2, #363b41); --ceiling: #8a94a0; --system: #2f7de1; --ordinary: #d9822b; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto; max-width: 1240px; padding: 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; margin: 1rem 0; }
th, td { padding: 4px 9px; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; }
.wide { overflow-x: auto; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 560px), 1fr)); gap: 1rem; }
figure { margin: 0; } figcaption { font-weight: 600; } small { font-weight: 400; }
svg { width: 100%; } svg text { font: 12px system-ui, sans-serif; fill: var(--ink); }
svg line { stroke: var(--line); } polyline { fill: none; stroke: var(--system); stroke-width: 2; }
rect.ceiling { fill: var(--ceiling); } rect.system, circle.system { fill: var(--system); } rect.ordinary { fill: var(--ordinary); }
b.ceiling { color: var(--ceiling); } b.system { color: var(--system); } b.ordinary { color: var(--ordinary); }
`;
