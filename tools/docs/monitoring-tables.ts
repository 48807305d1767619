// monitoring-tables.ts -- The tables of `monitoring/README.md`: every metric and every alert, made from the code and the rules, so that
// they cannot differ from them. `bun run docs` writes them.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Metric, metricsOf } from '../../src/telemetry/registry.ts';
import { createApiMetrics } from '../../src/wiring/metrics.ts';
import { createWorkerMetrics } from '../../workers/metrics.ts';

const folder = resolve(import.meta.dirname, '../../monitoring');

/** Where the tables stand. */
export const monitoringReadme = resolve(folder, 'README.md');

/** A group of alerts, as `alerts.yml` has it. */
export interface AlertGroup {
  name: string;
  rules: { alert: string; expr: string; labels: { severity: string }; annotations: Record<string, string> }[];
}

/** The groups of `alerts.yml`. */
export function readAlertGroups(): AlertGroup[] {
  const parsed = Bun.YAML.parse(readFileSync(resolve(folder, 'rules/alerts.yml'), 'utf8'));
  return (parsed as { groups: AlertGroup[] }).groups;
}

/**
 * The document with its tables made again.
 *
 * @throws Error when it has no markers for one of them
 */
export function withMonitoringTables(readme: string): string {
  const made = { metrics: metricsTable(), alerts: alertsTables() };
  return Object.entries(made).reduce((text, [name, table]) => {
    const block = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- /${name} -->)`);
    if (!block.test(text)) throw new Error(`monitoring/README.md has no place for its ${name}`);
    return text.replace(block, (_, start: string, end: string) => `${start}\n${table}\n${end}`);
  }, readme);
}

function metricsTable(): string {
  const api = metricsOf(createApiMetrics());
  const worker = metricsOf(createWorkerMetrics());
  const namesOf = (metrics: readonly Metric[]): Set<string> => new Set(metrics.map(({ name }) => name));
  const [inApi, inWorker] = [namesOf(api), namesOf(worker)];
  const all = new Map([...api, ...worker].map((metric) => [metric.name, metric]));
  const rows = [...all.values()].map(({ name, kind, labels, help }) => {
    const where = inApi.has(name) && inWorker.has(name) ? 'both' : inApi.has(name) ? 'API' : 'worker';
    return [`\`${name}\``, kind, labels.map(([label]) => `\`${label}\``).join(', '), where, help];
  });
  return tableOf(['metric', 'kind', 'labels', 'of', 'what it tells'], rows);
}

function alertsTables(): string {
  return readAlertGroups()
    .map(({ name, rules }) => {
      const rows = rules.map(({ alert, labels, annotations }) => {
        return [
          `<a id="${alert}"></a>\`${alert}\``,
          labels.severity,
          annotations['summary'] ?? '',
          annotations['action'] ?? '',
        ];
      });
      return `### ${name.charAt(0).toUpperCase()}${name.slice(1)}\n\n${tableOf(['alert', 'severity', 'it says', 'what to do'], rows)}`;
    })
    .join('\n');
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}
