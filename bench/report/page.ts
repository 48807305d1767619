// page.ts -- The report as one page that needs no network: `page.html` with the findings, the tables and uPlot put into it.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Report } from './report.ts';
import type { RunReport } from '../runs/run-report.ts';
import { runSection } from '../runs/run-sections.ts';
import { sectionsOf } from './sections.ts';

export function reportPage(report: Report, runs: readonly RunReport[] = []): string {
  // Inside a script element only `<` can end it; escaped, it is the same JSON.
  const data = JSON.stringify({ report, runs, sections: [...runs.map(runSection), ...sectionsOf(report)] }).replaceAll(
    '<',
    String.raw`\u003c`,
  );
  const parts = new Map([
    ['data', data],
    ['uPlot.js', textOf('uplot/dist/uPlot.iife.min.js')],
    ['uPlot.css', textOf('uplot/dist/uPlot.min.css')],
  ]);
  const template = readFileSync(new URL('page.html', import.meta.url), 'utf8');
  return template.replace(/\{\{([\w.]+)\}\}/g, (place, name: string) => parts.get(name) ?? place);
}

function textOf(file: string): string {
  return readFileSync(fileURLToPath(import.meta.resolve(file)), 'utf8');
}
