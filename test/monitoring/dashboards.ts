// What `monitoring/` asks of Prometheus: every expression of every panel and rule, with the names of the metrics in it.
import { globSync, readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { readAlertGroups } from '../../tools/docs/monitoring-tables.ts';

export const monitoringFolder = resolve(import.meta.dirname, '../../monitoring');

/** One expression, and where it stands. */
export interface Asked {
  readonly where: string;
  readonly expr: string;
}

interface Dashboard {
  panels: { title: string; datasource: { uid: string }; targets: { expr: string }[] }[];
  annotations: { list: { name: string; expr: string }[] };
  templating: { list: { name: string; query: { query: string } }[] };
}

/** The dashboards, by the names of their files. */
export function dashboards(): Map<string, Dashboard> {
  const files = globSync('grafana/dashboards/*.json', { cwd: monitoringFolder });
  const read = (file: string) => JSON.parse(readFileSync(resolve(monitoringFolder, file), 'utf8')) as Dashboard;
  return new Map(files.map((file) => [basename(file, '.json'), read(file)]));
}

/** Every expression of every panel, with everything chosen, at a step of five seconds. */
export function panelExpressions(): Asked[] {
  return [...dashboards()].flatMap(([name, { panels }]) =>
    panels.flatMap(({ title, targets }) =>
      targets.map(({ expr }) => ({ where: `${name}: ${title}`, expr: withVariables(expr) })),
    ),
  );
}

/** Every expression whose moments are marked in the panels. */
export function annotationExpressions(): Asked[] {
  return [...dashboards()].flatMap(([dashboard, { annotations }]) =>
    annotations.list.map(({ name, expr }) => ({ where: `${dashboard}: ${name}`, expr: withVariables(expr) })),
  );
}

function withVariables(expr: string): string {
  const values = { $__interval: '5s', $__range: '1m', $coupon: '.*', $instance: '.*' };
  return Object.entries(values).reduce((text, [name, value]) => text.replaceAll(name, value), expr);
}

/** Every recording rule, with the name of what it records. */
export function recordingRules(): { record: string; expr: string }[] {
  const text = readFileSync(resolve(monitoringFolder, 'rules/recording.yml'), 'utf8');
  const { groups } = Bun.YAML.parse(text) as { groups: { rules: { record: string; expr: string }[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

/** Every alert's expression. */
export function alertExpressions(): Asked[] {
  return readAlertGroups().flatMap(({ rules }) => rules.map(({ alert, expr }) => ({ where: `alert ${alert}`, expr })));
}

/** The metrics that an expression reads: what is left of it without texts, labels, ranges and functions. */
export function metricsIn(expr: string): string[] {
  const bare = expr
    .replaceAll(/\{[^}]*\}/g, '')
    .replaceAll(/\[[^\]]*\]/g, '')
    .replaceAll(/\b(by|on|ignoring|without|group_left|group_right)\s*\([^)]*\)/g, '');
  const names = [...bare.matchAll(/[a-zA-Z_:][\w:]*(?!\w*\s*\()/g)].map(([name]) => name);
  return [...new Set(names)].filter((name) => !/^(or|and|unless|bool|offset)$/.test(name));
}
