// overload.ts -- Ten times more clients than an API has places for, for a given time, with the effects on callers and on memory.
//
// Three crowds, one after the other: few callers, for what is normal; ten times more than there are places; few again. The API has
// few places here, so that a crowd on the same machine can be ten times too many for them and not merely for the processor.

import { setTimeout as pause } from 'node:timers/promises';
import { quantile } from '../../bench/testbed/statistics.ts';
import type { Attempt } from '../checker.ts';
import type { HistoryFile } from '../judge/history-file.ts';
import type { Cluster, Settings } from './cluster.ts';
import { type Counts, Crowd } from './crowd.ts';
import { hasGrown, residentMb } from './resident-memory.ts';
import { auditRun } from './run.ts';
import { seededRandom } from './seeded-random.ts';

export interface OverloadOptions {
  readonly seed: number;
  /** How long it is overloaded. */
  readonly runMs: number;
  readonly say: (line: string) => void;
  /** Takes what is asked and answered, and the rows in the end. */
  readonly historyFile?: HistoryFile;
}

/** What callers saw in one phase. Times in milliseconds, of requests that were answered with a success; null without any. */
export interface Phase {
  readonly callers: number;
  readonly seconds: number;
  readonly requests: number;
  readonly accepted: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** Share of the requests that were answered 503. */
  readonly unavailable: number;
}

export interface Overloaded {
  readonly normal: Phase;
  readonly overload: Phase;
  readonly after: Phase;
  /** Memory of the API in MB: before the overload, then at each tenth of it, then at the end. */
  readonly memoryMb: readonly number[];
  /** From the end of the overload until no request was refused and answers were as quick as before; null if that did not happen in time. */
  readonly normalAfterMs: number | null;
  /** Everything that is wrong; the run has failed unless it is empty. */
  readonly faults: readonly string[];
}

/** For the processes of a cluster that is to be overloaded: one request under way and three waiting, per coupon and endpoint. */
export const fewPlaces: Settings = { WAITING_USERS_MAX: 3, USERS_PER_BATCH_MAX: 1, BATCHES_IN_FLIGHT_MAX: 1 };

/** Six coupons at three endpoints, each with one request under way and three that wait. */
export const PLACES = 6 * 3 * 4;
/** So few that there is a place for each, even if all want the same coupon by the same endpoint. */
const FEW = 4;
const PHASE_MS = 8000;
const SAMPLES = 60;
/** Parts of the overload: the level of the last is compared with the second, as in a soak. */
const EARLY = [0.25, 0.5] as const;
const LATE = [0.75, 1] as const;
/** What an API may grow by: far below what it would take to remember the excess. */
export const GROWTH_MB_MAX = 128;
/** Recovered means so many good windows of this length in a row: a second. */
const WINDOW_MS = 250;
const NORMAL_WINDOWS = 4;
/** A window is as quick as before if its median is, up to this: a slow answer now and then is the noise of any machine. */
const SLOWER_MAX = 2;
const SLOWER_MS_MAX = 5;
const RECOVERY_MS_MAX = 5000;

/** Runs the three phases against the first API of a cluster that was started with `fewPlaces`. */
export async function runOverload(
  cluster: Cluster,
  { seed, runMs, say, historyFile }: OverloadOptions,
): Promise<Overloaded> {
  const ports = cluster.apis.slice(0, 1).map(({ port }) => port);
  const crowdOf = (callers: number, phase: number) =>
    new Crowd({ ports, callers, random: seededRandom(seed + phase), historyFile });
  const crowds = { normal: crowdOf(FEW, 1), overload: crowdOf(10 * PLACES, 2), after: crowdOf(FEW, 3) };
  const normal = await phaseOf(crowds.normal, FEW, () => pause(PHASE_MS));
  const beforeMb = residentMb(pidOf(cluster));
  say(`  normal: ${phaseLine(normal)}`);
  const levels: number[] = [];
  const overload = await phaseOf(crowds.overload, 10 * PLACES, async () => {
    for (let taken = 0; taken < SAMPLES; taken++) {
      await pause(runMs / SAMPLES);
      levels.push(residentMb(pidOf(cluster)));
    }
  });
  const endMs = Date.now();
  const after = await phaseOf(crowds.after, FEW, () => pause(PHASE_MS));
  const normalAfterMs = recoveryOf(crowds.after.attempts, endMs, normal.p50Ms ?? 0);
  const afterMb = residentMb(pidOf(cluster));
  say('  retrying every ambiguous request, and checking');
  const faults = [
    ...memoryFaults(beforeMb, levels),
    ...phaseFaults(crowds),
    ...(await brokenWords(cluster, crowds, historyFile)),
  ];
  if (overload.unavailable < 0.1) faults.push('hardly a request was refused: it was no overload');
  if (overload.accepted === 0) faults.push('no request was accepted during the overload');
  if (normalAfterMs === null) faults.push(`not normal again within ${RECOVERY_MS_MAX} ms`);
  const tenths = levels.filter((_, i) => (i + 1) % (SAMPLES / 10) === 0);
  return { normal, overload, after, memoryMb: [beforeMb, ...tenths, afterMb], normalAfterMs, faults };
}

/** What is to be read at the end, one line each. */
export function overloadLines({ normal, overload, after, memoryMb, normalAfterMs, faults }: Overloaded): string[] {
  return [
    `  normal:   ${phaseLine(normal)}`,
    `  overload: ${phaseLine(overload)}`,
    `  after:    ${phaseLine(after)}; normal again after ${normalAfterMs?.toFixed(0) ?? 'too many'} ms`,
    `  memory of the API, MB: ${memoryMb.map((mb) => mb.toFixed(0)).join(' ')}`,
    `  faults: ${faults.length}`,
    ...faults.slice(0, 20).map((fault) => `    ${fault}`),
  ];
}

function phaseLine({ callers, seconds, requests, accepted, p50Ms, p99Ms, unavailable }: Phase): string {
  return (
    `${callers} callers, ${(requests / seconds).toFixed(0)} requests/s, ${(accepted / seconds).toFixed(0)} accepted/s ` +
    `in p50 ${p50Ms ?? '-'} ms, p99 ${p99Ms?.toFixed(0) ?? '-'} ms; 503: ${(unavailable * 100).toFixed(1)} %`
  );
}

async function phaseOf(crowd: Crowd, callers: number, whileItAsks: () => Promise<void>): Promise<Phase> {
  await crowd.start();
  const startMs = performance.now();
  await whileItAsks();
  await crowd.stop();
  const latencies = acceptedMs(crowd.attempts);
  return {
    callers,
    seconds: (performance.now() - startMs) / 1000,
    requests: crowd.attempts.length,
    accepted: latencies.length,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    unavailable: crowd.counts.unavailable / Math.max(1, crowd.attempts.length),
  };
}

function acceptedMs(attempts: readonly Attempt[]): number[] {
  return attempts.filter(({ result }) => result.kind === 'ok').map(({ invokedMs, endedMs }) => endedMs - invokedMs);
}

/** When the first whole second that was normal began, as time since `endMs`; null when that is too late. */
export function recoveryOf(attempts: readonly Attempt[], endMs: number, normalMs: number): number | null {
  const bound = normalMs * SLOWER_MAX + SLOWER_MS_MAX;
  const windows = Map.groupBy(attempts, ({ endedMs }) => Math.floor((endedMs - endMs) / WINDOW_MS));
  const isNormal = (window: number): boolean => {
    const own = windows.get(window) ?? [];
    const median = quantile(acceptedMs(own), 0.5);
    return median !== null && median <= bound && own.every(({ result }) => result.kind !== 'indeterminate');
  };
  for (let first = 0; first * WINDOW_MS <= RECOVERY_MS_MAX; first++) {
    if (Array.from({ length: NORMAL_WINDOWS }, (_, i) => first + i).every(isNormal)) return first * WINDOW_MS;
  }
  return null;
}

/** Memory has a bound if it never goes far above what it was, and does not go on rising. */
export function memoryFaults(beforeMb: number, levels: readonly number[]): string[] {
  const mean = ([from, to]: readonly [number, number]) => {
    const part = levels.slice(Math.floor(levels.length * from), Math.ceil(levels.length * to));
    return part.reduce((sum, mb) => sum + mb, 0) / part.length;
  };
  const [peakMb, earlyMb, lateMb] = [Math.max(...levels), mean(EARLY), mean(LATE)];
  return [
    ...(peakMb - beforeMb > GROWTH_MB_MAX ? [`the API grew from ${beforeMb} to ${peakMb} MB`] : []),
    ...(hasGrown(earlyMb, lateMb) ? [`the API goes on growing: ${earlyMb} MB early, ${lateMb} MB late`] : []),
  ];
}

type Crowds = Readonly<Record<'normal' | 'overload' | 'after', Crowd>>;

/** The excess is refused immediately: no request is left without an answer. */
function phaseFaults(crowds: Crowds): string[] {
  const never = ['unanswered', 'timedOut', 'cut', 'notSent'] as const satisfies readonly (keyof Counts)[];
  return Object.entries(crowds).flatMap(([phase, { counts }]) =>
    never.filter((name) => counts[name] > 0).map((name) => `${phase}: ${counts[name]} ${name}`),
  );
}

async function brokenWords(cluster: Cluster, crowds: Crowds, historyFile?: HistoryFile): Promise<string[]> {
  const found: string[] = [];
  for (const crowd of Object.values(crowds)) {
    await crowd.settle(60_000);
    const { accusations, otherFaults } = await auditRun(cluster, crowd, historyFile);
    found.push(...accusations.map(({ verdict, couponId, evidence }) => `${verdict}: coupon ${couponId}: ${evidence}`));
    found.push(...otherFaults);
  }
  return [...new Set(found)];
}

function pidOf({ apis: [api] }: Cluster): number {
  const pid = api?.pid ?? null;
  if (pid === null) throw new Error('the API ended during the overload');
  return pid;
}
