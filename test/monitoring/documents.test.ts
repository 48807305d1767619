// Dashboards, rules, compose file and README agree with one another and with the metrics that the code has.
import { expect, test } from 'bun:test';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { monitoringReadme, readAlertGroups, withMonitoringTables } from '../../tools/docs/monitoring-tables.ts';
import { metricsOf } from '../../src/telemetry/registry.ts';
import { createApiMetrics } from '../../src/wiring/metrics.ts';
import { createWorkerMetrics } from '../../workers/metrics.ts';
import { alertExpressions, metricsIn, monitoringFolder, panelExpressions, recordingRules } from './dashboards.ts';

const read = (path: string): string => readFileSync(resolve(monitoringFolder, path), 'utf8');
const asked = [
  ...panelExpressions(),
  ...alertExpressions(),
  ...recordingRules().map((rule) => ({ where: rule.record, expr: rule.expr })),
];
const ours = [createApiMetrics(), createWorkerMetrics()].flatMap(metricsOf);
const exposed = new Set(
  ours.flatMap(({ name, kind }) =>
    kind === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name],
  ),
);

test('the parser finds exactly the metric names of an expression', () => {
  expect(metricsIn('sum by (a_b) (rate(x_total{c_d="e_f"}[5m])) / on (g) (y:z:sum > 0) and absent(up)')).toEqual([
    'x_total',
    'y:z:sum',
    'up',
  ]);
});

test('every metric in an expression is defined in code or recorded by a rule', () => {
  const known = new Set([...exposed, ...recordingRules().map(({ record }) => record)]);
  const unknown = asked.flatMap(({ where, expr }) =>
    metricsIn(expr)
      .filter((name) => name.includes('coupon') && !known.has(name))
      .map((name) => `${where}: ${name}`),
  );
  expect(unknown).toEqual([]);
});

test('every metric appears on a dashboard or in a rule', () => {
  const used = new Set(
    asked.flatMap(({ expr }) => metricsIn(expr)).map((name) => name.replace(/_(bucket|sum|count)$/, '')),
  );
  expect(ours.map(({ name }) => name).filter((name) => !used.has(name))).toEqual([]);
});

test('every recorded series appears on a dashboard or in an alert', () => {
  const used = new Set([...panelExpressions(), ...alertExpressions()].flatMap(({ expr }) => metricsIn(expr)));
  expect(
    recordingRules()
      .map(({ record }) => record)
      .filter((record) => !used.has(record)),
  ).toEqual([]);
});

test('every rule has a test case', () => {
  const cases = read('tests/alerts.test.yml') + read('tests/recording.test.yml');
  const names = [
    ...readAlertGroups().flatMap(({ rules }) => rules.map(({ alert }) => `alertname="${alert}"`)),
    ...recordingRules().map(({ record }) => record),
  ];
  expect(names.length).toBeGreaterThan(40);
  expect(names.filter((name) => !cases.includes(name))).toEqual([]);
});

test('every promise has an alert', () => {
  const summaries = readAlertGroups().flatMap(({ rules }) =>
    rules.map(({ annotations }) => annotations['summary'] ?? ''),
  );
  expect(
    ['P1', 'P2', 'P3', 'P4', 'P5'].filter((promise) => !summaries.some((text) => text.startsWith(`${promise}: `))),
  ).toEqual([]);
});

test('every alert says what is wrong, what to do, how urgent it is, and where more is written', () => {
  for (const { name, rules } of readAlertGroups()) {
    for (const { labels, annotations } of rules) {
      expect(labels.severity).toMatch(/^(critical|warning)$/);
      expect(annotations['action']).toMatch(/\.$/);
      expect(annotations['runbook']).toBe(`monitoring/README.md#${name}`);
    }
  }
});

test("the README's tables are those of the code and the rules", () => {
  const readme = readFileSync(monitoringReadme, 'utf8');
  expect(withMonitoringTables(readme), 'run `bun run docs`').toBe(readme);
});

interface Compose {
  services: Record<
    string,
    { image: string; ports?: string[]; volumes?: string[]; depends_on?: string[] | Record<string, unknown> }
  >;
}

const compose = Bun.YAML.parse(read('compose.yaml')) as Compose;
const prometheus = Bun.YAML.parse(read('prometheus.yml')) as {
  scrape_configs: { static_configs: { targets: string[] }[] }[];
};

test('every scrape target is a service of the compose file', () => {
  const targets = prometheus.scrape_configs.flatMap((job) => job.static_configs.flatMap((each) => each.targets));
  expect(targets.map((target) => target.split(':')[0] ?? '').filter((name) => !(name in compose.services))).toEqual([]);
});

test('the compose file pins its images, listens on loopback alone, mounts existing files and depends on existing services', () => {
  for (const { image, ports = [], volumes = [], depends_on: needed = [] } of Object.values(compose.services)) {
    expect(image).toMatch(/^coupon-issuing$|:v?\d+\.\d+/);
    for (const port of ports) expect(port).toStartWith('127.0.0.1:');
    const mounted = volumes.flatMap((volume) => (volume.startsWith('./') ? (volume.split(':')[0] ?? '') : []));
    expect(mounted.filter((path) => !existsSync(resolve(monitoringFolder, path)))).toEqual([]);
    expect(
      (Array.isArray(needed) ? needed : Object.keys(needed)).filter((name) => !(name in compose.services)),
    ).toEqual([]);
  }
});

test('every panel uses the data source that Grafana is provisioned with', () => {
  const { datasources } = Bun.YAML.parse(read('grafana/provisioning/datasources/prometheus.yaml')) as {
    datasources: { uid: string }[];
  };
  const files = globSync('grafana/dashboards/*.json', { cwd: monitoringFolder });
  expect(files.length).toBe(4);
  const uids = files.flatMap((file) =>
    [...read(file).matchAll(/"datasource": \{[^}]*"uid": "([^"]*)"/g)].map(([, uid]) => uid),
  );
  expect(new Set(uids)).toEqual(new Set(datasources.map(({ uid }) => uid)));
});
