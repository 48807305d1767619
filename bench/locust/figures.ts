// figures.ts -- What Locust measured, out of the table that it leaves.

import { existsSync, readFileSync } from 'node:fs';
import type { Figures } from '../runs/run-report.ts';

/** The figures of all requests together; null when Locust left no table. */
export function locustFigures(folder: string, p99MsMax: number): Figures | null {
  const file = `${folder}/locust_stats.csv`;
  return existsSync(file) ? figuresInTable(readFileSync(file, 'utf8'), p99MsMax) : null;
}

/** Reads its row `Aggregated`; null when there is none. No cell of ours has a comma. */
export function figuresInTable(text: string, p99MsMax: number): Figures | null {
  const rows = text
    .trim()
    .split(/\r?\n/)
    .map((line) => line.split(','));
  const [head = []] = rows;
  const total = rows.find((cells) => cells[1] === 'Aggregated');
  if (total === undefined) return null;
  const cell = (name: string): number => Number(total[head.indexOf(name)] ?? 0) || 0;
  const [requests, failures, p99] = [cell('Request Count'), cell('Failure Count'), cell('99%')];
  return {
    requests,
    requestsPerS: cell('Requests/s'),
    latencyMs: { p50: cell('50%'), p95: cell('95%'), p99, max: cell('100%') },
    thresholds: [
      { rule: 'requests above 0', held: requests > 0 },
      { rule: 'failures 0', held: failures === 0 },
      { rule: `p99 up to ${p99MsMax} ms`, held: p99 <= p99MsMax },
    ],
  };
}
