// What k6 hands over at the end of a run: the counts for the verification, everything as JSON, and a page for people.

interface Metric {
  readonly type: string;
  readonly values: Readonly<Record<string, number | undefined>>;
  readonly thresholds?: Readonly<Record<string, { readonly ok: boolean }>>;
}

/** Checks by where they were made: k6 nests those of `teardown`. */
interface Group {
  readonly groups?: readonly Group[];
  readonly checks?: readonly { readonly name: string; readonly fails: number }[];
}

/** What k6 passes to `handleSummary`, as far as it is used here. */
export interface SummaryData {
  readonly root_group?: Group;
  readonly setup_data?: { readonly couponId?: number };
  readonly metrics: Readonly<Record<string, Metric | undefined>>;
}

/**
 * The files of the run by path, with `stdout` for the terminal.
 *
 * @param folder where they go; none are written when it is not set
 */
export function summaryFiles(data: SummaryData, folder: string | undefined): Record<string, string> {
  // Aborted by its setup, which has printed why: there are no figures.
  if (data.metrics['iterations'] === undefined) return { stdout: '' };
  const stdout = `${lines(data).join('\n')}\n`;
  if (folder === undefined) return { stdout };
  const couponId = data.setup_data?.couponId;
  return {
    stdout,
    [`${folder}/summary.json`]: JSON.stringify(data, null, 2),
    ...(couponId === undefined
      ? {}
      : { [`${folder}/k6.counts.json`]: JSON.stringify({ couponId, counts: counts(data) }) }),
  };
}

function counts({ metrics }: SummaryData): Record<string, number> {
  const count = (name: string): number => metrics[name]?.values['count'] ?? 0;
  return {
    accepted: count('answers_accepted'),
    duplicated: count('answers_duplicated'),
    soldOut: count('answers_sold_out'),
    indeterminate: count('answers_indeterminate'),
    unexpected: count('answers_unexpected'),
  };
}

/** Of what was to be sent: with more left unsent, latency and rate are those of k6. */
const UNSENT_SHARE_MAX = 0.05;

/** Says that k6 could not send what was asked of it; null where it could. */
export function generatorBound({ metrics }: Pick<SummaryData, 'metrics'>): string | null {
  const count = (name: string): number => metrics[name]?.values['count'] ?? 0;
  const unsent = count('dropped_iterations');
  const share = unsent / Math.max(1, unsent + count('iterations'));
  if (share <= UNSENT_SHARE_MAX) return null;
  return `k6 was the bound, it left ${Math.round(share * 100)} % of the requests unsent (dropped_iterations)`;
}

/** The figures of the load alone, without setup and teardown, for the report of all tools. */
export function figuresIn({ metrics }: Pick<SummaryData, 'metrics'>): {
  requests: number;
  requestsPerS: number;
  latencyMs: Record<string, number>;
  thresholds: { rule: string; held: boolean }[];
} {
  const [, duration] = Object.entries(metrics).find(([name]) => name.startsWith('http_req_duration{scenario')) ?? [];
  const names = { p50: 'med', p95: 'p(95)', p99: 'p(99)', max: 'max' };
  const latencies = Object.entries(names).map(([name, key]) => [name, duration?.values[key] ?? 0] as const);
  const thresholds = Object.entries(metrics).flatMap(([name, metric]) =>
    Object.entries(metric?.thresholds ?? {}).map(([rule, { ok }]) => ({ rule: `${name} ${rule}`, held: ok })),
  );
  return {
    requests: metrics['iterations']?.values['count'] ?? 0,
    requestsPerS: metrics['iterations']?.values['rate'] ?? 0,
    latencyMs: Object.fromEntries(latencies),
    thresholds,
  };
}

const shown = /^(answers_|http_reqs|http_req_duration\{scenario|dropped_iterations|iterations|first_sold_out_after)/;

function lines({ metrics, root_group: group }: SummaryData): string[] {
  const found = Object.entries(metrics).flatMap(([name, metric]) => (metric === undefined ? [] : [{ name, metric }]));
  const figures = found
    .filter(({ name }) => shown.test(name))
    .map(({ name, metric }) => `  ${name.padEnd(34)} ${valuesText(metric)}`)
    .sort();
  const held = found.flatMap(({ name, metric }) =>
    Object.entries(metric.thresholds ?? {}).map(([rule, { ok }]) => `  ${ok ? 'held  ' : 'BROKEN'} ${name} ${rule}`),
  );
  const promises = checksIn(group).map(({ name, fails }) => `  ${fails === 0 ? 'held  ' : 'BROKEN'} ${name}`);
  return ['', ...figures, '', ...held.sort(), ...promises];
}

function checksIn(group: Group | undefined): NonNullable<Group['checks']> {
  return [...(group?.checks ?? []), ...(group?.groups ?? []).flatMap(checksIn)];
}

function valuesText({ type, values }: Metric): string {
  const number = (value: number | undefined): string =>
    value === undefined ? '-' : String(Math.round(value * 100) / 100);
  if (type === 'counter') return `${number(values['count'])} (${number(values['rate'])}/s)`;
  if (type === 'rate') return number(values['rate']);
  const parts = ['min', 'med', 'p(95)', 'p(99)', 'max'].map((name) => `${name} ${number(values[name])}`);
  return `${parts.join('  ')} ms`;
}
