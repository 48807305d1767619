// write-reports.ts -- The report of all tools: bench, k6 and Locust, as JSON, as Markdown and as one page that needs no network.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { reportPage } from '../report/page.ts';
import { readReport, reportFolder } from '../report/report.ts';
import { sectionsOf } from '../report/sections.ts';
import { markdownTable } from '../report/tables.ts';
import { readRuns } from './run-report.ts';
import { runSection } from './run-sections.ts';

/** Writes `report.json`, `report.md` and `report.html` from what the tools have left there. Returns the page. */
export function writeReports(folder = reportFolder): string {
  const [bench, runs] = [readReport(folder), readRuns(folder)];
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'report.json'), `${JSON.stringify({ bench, runs }, null, 2)}\n`);
  writeFileSync(join(folder, 'report.md'), markdownOf([...runs.map(runSection), ...sectionsOf(bench)]));
  const page = join(folder, 'report.html');
  writeFileSync(page, reportPage(bench, runs));
  return page;
}

function markdownOf(sections: ReturnType<typeof sectionsOf>): string {
  const texts = sections.map(({ title, notes, tables, link }) =>
    [`## ${title}`, ...notes, ...tables.map(markdownTable), ...(link ? [`[${link.text}](${link.href})`] : [])].join(
      '\n\n',
    ),
  );
  return `# Load runs\n\n${texts.join('\n\n')}\n`;
}
