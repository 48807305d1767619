// soak.ts -- A long time at a third of full load, without a fault: memory stays level, and file descriptors stay constant.

import { readdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { HistoryFile } from '../judge/history-file.ts';
import type { Cluster } from './cluster.ts';
import { Crowd, type CrowdOptions } from './crowd.ts';
import { hasGrown, residentMb } from './resident-memory.ts';
import { auditRun } from './run.ts';
import { seededRandom } from './seeded-random.ts';

export interface SoakOptions {
  readonly seed: number;
  readonly runMs: number;
  readonly say: (line: string) => void;
  /** Takes what is asked and answered, and the rows in the end. */
  readonly historyFile?: HistoryFile;
}

/** What a process held, early and late. Memory in MB, resident. */
export interface Level {
  readonly name: string;
  readonly earlyMb: number;
  readonly lateMb: number;
  readonly earlyDescriptors: number;
  readonly lateDescriptors: number;
}

export interface Soaked {
  readonly requests: number;
  readonly ratePerSecond: number;
  readonly levels: readonly Level[];
  /** Every process that grew, and every answer that no caller may get; the soak has failed unless it is empty. */
  readonly faults: readonly string[];
}

interface Sample {
  readonly name: string;
  readonly at: number;
  readonly memoryMb: number;
  readonly descriptors: number;
}

const FULL_LOAD_MS = 10_000;
const SAMPLES = 100;
/** Parts of the time: before the first, caches and compiled code still grow; the level of the last is compared with the second. */
const WARM_UP = 0.25;
const EARLY = 0.5;
const LATE = 0.75;
/** A connection more or less while pools breathe. */
const DESCRIPTORS_MORE_MAX = 4;

export async function runSoak(cluster: Cluster, { seed, runMs, say, historyFile }: SoakOptions): Promise<Soaked> {
  const ports = cluster.apis.map(({ port }) => port);
  const options: CrowdOptions = { ports, callers: 24, random: seededRandom(seed), historyFile };
  const crowd = new Crowd(options);
  await crowd.start();
  await pause(FULL_LOAD_MS);
  const fullPerSecond = crowd.attempts.length / (FULL_LOAD_MS / 1000);
  const ratePerSecond = Math.ceil(fullPerSecond / 3);
  options.ratePerSecond = ratePerSecond;
  say(`  full load of this crowd: ${fullPerSecond.toFixed(0)} requests a second; going on with ${ratePerSecond}`);
  const samples: Sample[] = [];
  for (let taken = 0; taken < SAMPLES; taken++) {
    await pause(runMs / SAMPLES);
    samples.push(...[...cluster.apis, ...cluster.workers].map(({ name, pid }) => sample(name, pid, taken / SAMPLES)));
  }
  await crowd.stop();
  const levels = [...Map.groupBy(samples, ({ name }) => name)].map(([name, own]) => levelOf(name, own));
  await crowd.settle(60_000);
  const { accusations, otherFaults } = await auditRun(cluster, crowd, historyFile);
  const broken = accusations.map(({ verdict, couponId, evidence }) => `${verdict}: coupon ${couponId}: ${evidence}`);
  const faults = [...levels.flatMap(growthOf), ...broken, ...otherFaults];
  return { requests: crowd.attempts.length, ratePerSecond, levels, faults };
}

/** What is to be read at the end, one line each. */
export function soakLines({ requests, ratePerSecond, levels, faults }: Soaked): string[] {
  return [
    `${requests} requests, ${ratePerSecond} a second`,
    ...levels.map(
      ({ name, earlyMb, lateMb, earlyDescriptors, lateDescriptors }) =>
        `  ${name}: ${earlyMb.toFixed(0)} MB, later ${lateMb.toFixed(0)} MB; ${earlyDescriptors} descriptors, later ${lateDescriptors}`,
    ),
    ...faults.slice(0, 20).map((fault) => `  ${fault}`),
  ];
}

function sample(name: string, pid: number | null, at: number): Sample {
  if (pid === null) throw new Error(`${name} ended during the soak`);
  return { name, at, memoryMb: residentMb(pid), descriptors: readdirSync(`/proc/${pid}/fd`).length };
}

function levelOf(name: string, samples: readonly Sample[]): Level {
  const early = samples.filter(({ at }) => at >= WARM_UP && at < EARLY);
  const late = samples.filter(({ at }) => at >= LATE);
  const meanMb = (of: readonly Sample[]) => of.reduce((sum, { memoryMb }) => sum + memoryMb, 0) / of.length;
  const mostDescriptors = (of: readonly Sample[]) => Math.max(...of.map(({ descriptors }) => descriptors));
  return {
    name,
    earlyMb: meanMb(early),
    lateMb: meanMb(late),
    earlyDescriptors: mostDescriptors(early),
    lateDescriptors: mostDescriptors(late),
  };
}

function growthOf({ name, earlyMb, lateMb, earlyDescriptors, lateDescriptors }: Level): string[] {
  return [
    ...(hasGrown(earlyMb, lateMb) ? [`${name} grew from ${earlyMb} to ${lateMb} MB`] : []),
    ...(lateDescriptors > earlyDescriptors + DESCRIPTORS_MORE_MAX
      ? [`${name} went from ${earlyDescriptors} to ${lateDescriptors} descriptors`]
      : []),
  ];
}
