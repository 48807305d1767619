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
}

/** Every expression of every panel. */
export function panelExpressions(): Asked[] {
  return globSync('grafana/dashboards/*.json', { cwd: monitoringFolder }).flatMap((file) => {
    const dashboard = JSON.parse(readFileSync(resolve(monitoringFolder, file), 'utf8')) as Dashboard;
    return dashboard.panels.flatMap(({ title, targets }) =>
      targets.map(({ expr }) => ({ where: `${basename(file, '.json')}: ${title}`, expr })),
    );
  });
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
