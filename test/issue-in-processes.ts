// issue-in-processes.ts -- Several real processes that issue from one coupon at the same moment.

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Config } from '../src/config/config.ts';
import type { IssuerName } from '../src/issuing/issuer.ts';
import type { ProcessReport } from './issuing-process.ts';

/** What one process is to do. */
export interface ProcessPlan {
  readonly issuer: IssuerName;
  readonly couponId: number;
  /** Issued one after another. */
  readonly batches: readonly (readonly string[])[];
}

/** Starts a process for each plan, gives the word when all are ready, and returns what each reports, in the same order. */
export async function issueInProcesses(config: Config, plans: readonly ProcessPlan[]): Promise<ProcessReport[]> {
  const environment: Record<string, string | undefined> = { ...process.env };
  for (const [name, value] of Object.entries(config)) environment[name] = String(value);
  const started = plans.map((plan) => start(plan, environment));
  try {
    for (const { lines } of started) await expectReady(lines);
    for (const { give } of started) give();
    return await Promise.all(started.map(async ({ lines }) => JSON.parse(await nextLine(lines)) as ProcessReport));
  } finally {
    for (const { process } of started) process.kill();
  }
}

interface Started {
  readonly process: ChildProcess;
  readonly lines: AsyncIterator<string>;
  readonly give: () => void;
}

function start({ issuer, couponId, batches }: ProcessPlan, env: Record<string, string | undefined>): Started {
  const script = fileURLToPath(new URL('./issuing-process.ts', import.meta.url));
  const words = [script, issuer, String(couponId), ...batches.map((batch) => batch.join(','))];
  // It ends when its standard input does, so that it never outlives this process.
  const child = spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'inherit'], env });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { process: child, lines, give: () => child.stdin.write('go\n') };
}

async function expectReady(lines: AsyncIterator<string>): Promise<void> {
  const line = await nextLine(lines);
  if (line !== 'ready') throw new Error(`a process of a test said ${line}`);
}

async function nextLine(lines: AsyncIterator<string>): Promise<string> {
  const line: IteratorResult<string, unknown> = await lines.next();
  if (line.done === true) throw new Error('a process of a test ended without a word');
  return line.value;
}
