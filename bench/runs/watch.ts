// watch.ts -- A run second by second, whatever tool sends the load: answers by outcome and backlog, as the metrics of the API have them.

import { bucketsOf, countsBy, type Exposition, growthOf, scrape, totalOf } from '../testbed/exposition.ts';

/** What came between two readings. */
export interface Second {
  /** Since the load began, in seconds. */
  readonly atS: number;
  /** Answers since the reading before, by outcome; outcomes that did not come are left out. */
  readonly answers: Readonly<Record<string, number>>;
  /** Users accepted in Redis and not yet rows in MySQL. */
  readonly backlog: number;
}

export interface Watched {
  readonly seconds: readonly Second[];
  /** Response times as the API measured them: upper bound in milliseconds, null for the last, and answers below it. */
  readonly responseTimes: readonly (readonly [boundMs: number | null, answers: number])[];
}

/** Where the metrics of a target are: METRICS_URL, one or more with commas, or beside its routes. */
export function metricsUrls({ url, environment }: MetricsTarget): readonly string[] {
  const given = (environment['METRICS_URL'] ?? '').split(',').map((each) => each.trim().replace(/\/+$/, ''));
  const named = given.filter((each) => each !== '');
  return named.length > 0 ? named : [url];
}

interface MetricsTarget {
  readonly url: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Reads every second until `stop`. Where the metrics cannot be read, there is nothing to tell, and the run goes on. */
export function startWatching(urls: readonly string[], pauseMs = 1_000): { stop(): Promise<Watched> } {
  const startMs = performance.now();
  const readings: { readonly atS: number; readonly expositions: readonly Exposition[] }[] = [];
  let reading = Promise.resolve();
  const read = async (): Promise<void> => {
    const atS = (performance.now() - startMs) / 1_000;
    const found = await Promise.all(urls.map((url) => scrape(url))).catch(() => null);
    if (found !== null) readings.push({ atS, expositions: found });
  };
  // One at a time: a target that is slow to answer must not be asked the more for it.
  let isReading = false;
  const next = (): void => {
    if (isReading) return;
    isReading = true;
    reading = read().finally(() => {
      isReading = false;
    });
  };
  next();
  const timer = setInterval(next, pauseMs);
  return {
    async stop() {
      clearInterval(timer);
      await reading;
      await read();
      return watchedIn(readings);
    },
  };
}

/** Makes seconds of readings: what the first one has was there before the run. */
export function watchedIn(
  readings: readonly { readonly atS: number; readonly expositions: readonly Exposition[] }[],
): Watched {
  const seconds = readings.slice(1).map(({ atS, expositions }, i): Second => {
    const before = readings[i]?.expositions ?? [];
    return {
      atS: Math.round(atS * 10) / 10,
      answers: growthOf(outcomesIn(before), outcomesIn(expositions)),
      // Every process reads the same backlog.
      backlog: Math.max(0, ...expositions.map((each) => totalOf(each, 'coupon_unpersisted_users'))),
    };
  });
  const [first, last] = [readings[0], readings.at(-1)];
  if (first === undefined || last === undefined) return { seconds, responseTimes: [] };
  return { seconds: busyPartOf(seconds), responseTimes: responseTimesIn(first.expositions, last.expositions) };
}

/** Without the quiet seconds before the load, in which its tool starts, and after it; timed from the beginning of the load. */
function busyPartOf(seconds: readonly Second[]): readonly Second[] {
  const isBusy = ({ answers, backlog }: Second): boolean => Object.keys(answers).length > 0 || backlog > 0;
  const from = seconds.findIndex(isBusy);
  if (from === -1) return [];
  const startS = seconds[from - 1]?.atS ?? 0;
  return seconds
    .slice(from, seconds.findLastIndex(isBusy) + 2)
    .map((second) => ({ ...second, atS: Math.round((second.atS - startS) * 10) / 10 }));
}

function outcomesIn(expositions: readonly Exposition[]): ReadonlyMap<string, number> {
  return countsBy(expositions.flat(), 'coupon_issue_requests_total', 'outcome');
}

function responseTimesIn(first: readonly Exposition[], last: readonly Exposition[]): Watched['responseTimes'] {
  const [before, after] = [first, last].map((each) => bucketsOf(each.flat(), 'coupon_issue_seconds'));
  let below = 0;
  return [...(after ?? [])]
    .sort(([a], [b]) => a - b)
    .map(([bound, count]) => {
      const upTo = count - (before?.get(bound) ?? 0);
      const own = upTo - below;
      below = upTo;
      return [Number.isFinite(bound) ? bound * 1_000 : null, own] as const;
    })
    .filter(([, answers]) => answers > 0);
}
