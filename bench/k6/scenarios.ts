// The four scenarios, each an open model: requests arrive at a rate, whether or not the previous ones were answered.
//
// Each has thresholds that fail the run. `dropped_iterations` counts requests that k6 could not send since all its virtual
// users were waiting: where it is not 0, the rate was not the one that is claimed.
import type { Options, Scenario } from 'k6/options';
import { TEARDOWN_TIMEOUT } from './audit.ts';

const names = ['steady', 'rush', 'spike', 'soak'] as const;
export type ScenarioName = (typeof names)[number];

export interface Settings {
  readonly scenario: ScenarioName;
  /** Arrivals per second: in rush and spike the highest. */
  readonly ratePerS: number;
  /** Of the whole run. */
  readonly durationS: number;
  /** Pieces of the coupon; null for more than can be asked for. */
  readonly stock: number | null;
  readonly virtualUsersMax: number;
  /** What 99 of 100 requests may take at most. */
  readonly p99MsMax: number;
}

/**
 * The scenario that SCENARIO names, with RATE, DURATION (seconds), STOCK, VIRTUAL_USERS and P99_MS_MAX in place of its defaults.
 *
 * @throws Error for a scenario that there is none of
 */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): Settings {
  const name = environment['SCENARIO'] ?? 'steady';
  const scenario = names.find((known) => known === name);
  if (scenario === undefined) throw new Error(`unknown scenario "${name}": expected one of ${names.join(', ')}`);
  const number = (variable: string, fallback: number): number => Number(environment[variable] ?? fallback);
  return {
    scenario,
    ratePerS: number('RATE', defaults[scenario].ratePerS),
    durationS: number('DURATION', defaults[scenario].durationS),
    stock: scenario === 'rush' ? number('STOCK', RUSH_STOCK) : null,
    virtualUsersMax: number('VIRTUAL_USERS', defaults[scenario].virtualUsersMax),
    p99MsMax: number('P99_MS_MAX', defaults[scenario].p99MsMax),
  };
}

/** k6's options: arrivals and thresholds. `issues` is false for hello, which has no stock to run out of. */
export function optionsFor(settings: Settings, issues: boolean): Options {
  const { scenario } = settings;
  return {
    scenarios: { [scenario]: arrivals(settings) },
    thresholds: {
      ...thresholds[scenario],
      // Of the load alone: setup and teardown ask too.
      [`http_req_duration{scenario:${scenario}}`]: [`p(99)<${settings.p99MsMax}`],
      // An answer that is right in no run, and a run without answers.
      answers_unexpected: ['count==0'],
      // `checks` are those of the teardown: each promise is one.
      ...(issues ? { answers_accepted: ['count>0'], checks: ['rate==1'] } : { answers_greeted: ['count>0'] }),
      ...(issues && scenario === 'rush' ? soldOutSoon : {}),
    },
    summaryTrendStats: ['min', 'med', 'p(95)', 'p(99)', 'max'],
    // One connection per virtual user, kept open: what is measured is the system, not the setting up of connections.
    noConnectionReuse: false,
    setupTimeout: '30s',
    teardownTimeout: TEARDOWN_TIMEOUT,
  };
}

/** Pieces of a rush: gone within the first seconds of every rush that deserves the name. */
const RUSH_STOCK = 5_000;

/**
 * Short, so that they are run often. A real soak is `DURATION=1h`.
 *
 * A good run is one in which every request is answered, and correctly. The bounds of latency are not targets: they are far above
 * what two cores give (p99 of 10 to 60 ms), so that a laptop that is busy with other work passes.
 */
const defaults: Record<ScenarioName, Pick<Settings, 'ratePerS' | 'durationS' | 'virtualUsersMax' | 'p99MsMax'>> = {
  steady: { ratePerS: 300, durationS: 15, virtualUsersMax: 300, p99MsMax: 1_000 },
  rush: { ratePerS: 10_000, durationS: 12, virtualUsersMax: 500, p99MsMax: 5_000 },
  spike: { ratePerS: 1_000, durationS: 15, virtualUsersMax: 1_000, p99MsMax: 2_000 },
  soak: { ratePerS: 150, durationS: 30, virtualUsersMax: 300, p99MsMax: 1_000 },
};

const thresholds: Record<ScenarioName, Record<string, string[]>> = {
  // Below capacity everything is sent and everything is answered; a spike may make people wait, but no request is rejected.
  steady: { dropped_iterations: ['count==0'], answers_indeterminate: ['count==0'] },
  soak: { dropped_iterations: ['count==0'], answers_indeterminate: ['count==0'] },
  spike: { dropped_iterations: ['count==0'], answers_indeterminate: ['count==0'] },
  // Far past capacity, of k6 as well: what it cannot send (dropped_iterations) says where its own end is, and is allowed. The
  // system may answer 503 with `Retry-After`, its documented back-pressure, to one in a hundred. It may not be wrong or stuck.
  rush: { answers_indeterminate_share: ['rate<0.01'] },
};

/** In a rush the stock is gone, and the first who reads `sold out` reads it within seconds. */
const soldOutSoon: Record<string, string[]> = {
  answers_sold_out: ['count>0'],
  first_sold_out_after: ['min<8000'],
};

function arrivals({ scenario, ratePerS, durationS, virtualUsersMax }: Settings): Scenario {
  // All of them made before the start: making them takes the processor from those that are at work.
  const users = { preAllocatedVUs: virtualUsersMax, maxVUs: virtualUsersMax, gracefulStop: '15s' };
  const seconds = (share: number): string => `${Math.max(1, Math.round(durationS * share))}s`;
  const calm = Math.max(1, Math.round(ratePerS / 15));
  switch (scenario) {
    case 'steady':
    case 'soak':
      return { ...users, executor: 'constant-arrival-rate', rate: ratePerS, timeUnit: '1s', duration: `${durationS}s` };
    case 'rush':
      return {
        ...users,
        executor: 'ramping-arrival-rate',
        startRate: calm,
        timeUnit: '1s',
        stages: [
          { target: ratePerS, duration: seconds(0.4) },
          { target: ratePerS, duration: seconds(0.6) },
        ],
      };
    case 'spike':
      return {
        ...users,
        executor: 'ramping-arrival-rate',
        startRate: calm,
        timeUnit: '1s',
        stages: [
          { target: calm, duration: seconds(0.3) },
          { target: ratePerS, duration: seconds(0.1) },
          { target: ratePerS, duration: seconds(0.3) },
          { target: calm, duration: seconds(0.1) },
          { target: calm, duration: seconds(0.2) },
        ],
      };
  }
}
