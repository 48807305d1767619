// Dashboards, rules, compose file and README agree with one another and with the metrics that the code has.
import { expect, test } from 'bun:test';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { monitoringReadme, readAlertGroups, withMonitoringTables } from '../../tools/docs/monitoring-tables.ts';
import { prometheusRule, prometheusRuleFile, runbookFile, runbookPage } from '../../tools/docs/runbook.ts';
import { findProgram } from '../../tools/stack/find-program.ts';
import { runCommand } from '../../tools/stack/run-command.ts';
import { metricsOf } from '../../src/telemetry/registry.ts';
import { createApiMetrics } from '../../src/wiring/metrics.ts';
import { createWorkerMetrics } from '../../workers/metrics.ts';
import {
  alertExpressions,
  annotationExpressions,
  dashboards,
  metricsIn,
  monitoringFolder,
  panelExpressions,
  recordingRules,
} from './dashboards.ts';

const read = (path: string): string => readFileSync(resolve(monitoringFolder, path), 'utf8');
const asked = [
  ...panelExpressions(),
  ...annotationExpressions(),
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

test('no panel averages a rate over longer than a drop may last', () => {
  const slow = panelExpressions().filter(({ expr }) => /\bi?rate\([^)]*\[(?!(10|15)s\])/.test(expr));
  expect(slow).toEqual([]);
});

test('dashboards mark start, sold out and deploys, and their panels use variables that there are', () => {
  for (const [name, { panels, annotations, templating }] of dashboards()) {
    const marked = annotations.list.map((each) => each.name);
    expect(marked).toEqual(name === 'stores' ? ['Deploy'] : ['Start', 'Sold out', 'Deploy']);
    const known = [...templating.list.map((each) => each.name), '__interval', '__range'];
    const expressions = [...panels.flatMap(({ targets }) => targets), ...annotations.list].map(({ expr }) => expr);
    const used = new Set(expressions.flatMap((expr) => [...expr.matchAll(/\$(\w+)/g)].map(([, variable]) => variable)));
    expect([...used].filter((variable) => !known.includes(String(variable)))).toEqual([]);
    const chosen = { drop: ['coupon'], api: ['coupon', 'instance'], worker: ['coupon', 'instance'], stores: [] };
    expect(templating.list.map((each) => each.name)).toEqual(chosen[name as keyof typeof chosen]);
  }
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

test('every alert says what is wrong, what to do, and how urgent it is', () => {
  for (const { rules } of readAlertGroups()) {
    for (const { labels, annotations } of rules) {
      expect(labels.severity).toMatch(/^(critical|warning)$/);
      expect(annotations['summary']).toBeString();
      expect(annotations['action']).toMatch(/\.$/);
    }
  }
});

test('the runbook URL of every alert leads to its place in the page that Prometheus serves, and the README has one too', () => {
  const [page, readme] = [read('consoles/runbook.html'), read('README.md')];
  for (const { alert, annotations } of readAlertGroups().flatMap(({ rules }) => rules)) {
    expect(annotations['runbook_url']).toBe(`{{ $externalURL }}/consoles/runbook.html#${alert}`);
    expect(page.split(`id="${alert}"`)).toHaveLength(2);
    expect(readme.split(`<a id="${alert}"></a>`)).toHaveLength(2);
  }
  // Prometheus takes the page for a template.
  expect(page).not.toContain('{{');
});

test('runbook and rules for Kubernetes are those of the rules', () => {
  expect(runbookPage(), 'run `bun run docs`').toBe(readFileSync(runbookFile, 'utf8'));
  expect(prometheusRule(), 'run `bun run docs`').toBe(readFileSync(prometheusRuleFile, 'utf8'));
});

test("the README's tables are those of the code and the rules", () => {
  const readme = readFileSync(monitoringReadme, 'utf8');
  expect(withMonitoringTables(readme), 'run `bun run docs`').toBe(readme);
});

interface Route {
  readonly receiver: string;
  readonly matchers?: readonly string[];
  readonly routes?: readonly Route[];
}

test('Alertmanager routes every alert to a receiver that there is, by names of alerts that there are', () => {
  const {
    route,
    receivers,
    inhibit_rules: inhibitions,
  } = Bun.YAML.parse(read('alertmanager/alertmanager.yml')) as {
    route: Route;
    receivers: { name: string }[];
    inhibit_rules: Record<'source_matchers' | 'target_matchers', string[]>[];
  };
  const used = [route, ...(route.routes ?? [])].map(({ receiver }) => receiver);
  expect(new Set(used)).toEqual(new Set(receivers.map(({ name }) => name)));
  const alerts = readAlertGroups().flatMap(({ rules }) => rules.map(({ alert }) => alert));
  const matchers = [
    ...(route.routes ?? []).flatMap((each) => each.matchers ?? []),
    ...inhibitions.flatMap((rule) => [...rule.source_matchers, ...rule.target_matchers]),
  ];
  const patterns = matchers.flatMap((matcher) => /^alertname=~?"(.*)"$/.exec(matcher)?.[1]?.split('|') ?? []);
  expect(patterns.length).toBeGreaterThan(10);
  expect(patterns.filter((pattern) => !alerts.some((alert) => new RegExp(`^${pattern}$`).test(alert)))).toEqual([]);
  // No rule silences a promise.
  const silenced = inhibitions.flatMap((rule) => rule.target_matchers).join();
  expect(silenced).not.toMatch(/Never|Invariant/);
});

const amtool = findProgram('amtool');

test.skipIf(amtool === undefined)('amtool accepts the configuration of Alertmanager', async () => {
  const file = resolve(monitoringFolder, 'alertmanager/alertmanager.yml');
  const { ok, output } = await runCommand(amtool ?? '', ['check-config', file]);
  expect(ok).toBe(true);
  expect(output).toContain('SUCCESS');
});

test('Kustomize takes every dashboard along', () => {
  const { configMapGenerator } = Bun.YAML.parse(read('kustomization.yaml')) as {
    configMapGenerator: { name: string; files?: string[] }[];
  };
  const taken = configMapGenerator.flatMap(({ files = [] }) => files);
  expect(taken.toSorted()).toEqual(globSync('grafana/dashboards/*.json', { cwd: monitoringFolder }).toSorted());
});

const kubectl = findProgram('kubectl', 'kustomize');

test.skipIf(kubectl === undefined)(
  'Kustomize builds the monitoring, with a runbook address of its own in every alert',
  async () => {
    const args = [...(kubectl?.endsWith('kubectl') ? ['kustomize'] : ['build']), monitoringFolder];
    const { ok, output } = await runCommand(kubectl ?? '', args);
    expect(ok).toBe(true);
    const kinds = [...output.matchAll(/^kind: (\w+)$/gm)].map(([, kind = '']) => kind);
    expect([...kinds].sort((a, b) => a.localeCompare(b))).toEqual([
      'ConfigMap',
      'PrometheusRule',
      'Service',
      'ServiceMonitor',
    ]);
    const alerts = readAlertGroups().flatMap(({ rules }) => rules);
    expect(output.match(/runbook_url: https:\/\/[\w./-]+#\w+$/gm)).toHaveLength(alerts.length);
  },
);

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
}, 60_000);

test('the compose file pins its images, listens on loopback alone, mounts existing files and depends on existing services', () => {
  for (const { image, ports = [], volumes = [], depends_on: needed = [] } of Object.values(compose.services)) {
    expect(image).toMatch(/^coupon-issuing$|:v?\d+\.\d+[\w.-]*@sha256:[0-9a-f]{64}$/);
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
