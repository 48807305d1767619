// own-process.ts -- One of our processes, started for a run: on a free port, ready when it says so, its log kept for when it fails.

import { closeSync, openSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { startChild } from '../../tools/stack/child-process.ts';
import { freePort } from '../../tools/stack/free-port.ts';
import { waitUntil } from '../../tools/stack/wait-until.ts';
import { BenchError } from '../bench-error.ts';

const root = resolve(import.meta.dirname, '../..');

export interface Service {
  readonly url: string;
  /** The metrics of this very process: not `url` when it shares its port with others. */
  readonly metricsUrl: string;
  readonly pid: number;
  /** @throws BenchError with the end of its log when it has ended by itself */
  mustRun(): void;
  /** Stops it as an operator would. */
  stop(): Promise<void>;
  /** Ends it immediately, with SIGKILL. */
  kill(): Promise<void>;
}

export interface ServiceOptions {
  readonly name: string;
  /** The entry, from the root of the repository. */
  readonly entry: string;
  /** For its log. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  /** A port to share with others (REUSE_PORT); else a free one. */
  readonly sharedPort?: number | undefined;
  /** Arguments for Bun itself. */
  readonly runtime?: readonly string[];
  /** Arguments for the entry. */
  readonly args?: readonly string[];
}

/** @throws BenchError with the end of its log when it does not come up */
export async function startService({
  name,
  entry,
  folder,
  environment,
  sharedPort,
  runtime = [],
  args = [],
}: ServiceOptions): Promise<Service> {
  const port = String(sharedPort ?? (await freePort()));
  // With AUTH=on, metrics on the port of the API need a key.
  const isApart = sharedPort !== undefined || environment['AUTH'] === 'on';
  const ownPort = isApart ? String(await freePort()) : port;
  const shared = { ...(isApart && { METRICS_PORT: ownPort }), ...(sharedPort !== undefined && { REUSE_PORT: 'on' }) };
  const logFile = join(folder, `${name}.log`);
  const log = openSync(logFile, 'a');
  const child = await startChild({
    program: process.execPath,
    args: [...runtime, entry, ...args],
    stdio: ['ignore', log, log],
    folder: root,
    environment: { ...process.env, ...environment, ...shared, PORT: port, WORKER_PORT: port },
  });
  closeSync(log);
  const url = `http://127.0.0.1:${port}`;
  const metricsUrl = `http://127.0.0.1:${ownPort}`;
  // On a shared port another process may answer.
  const probe = sharedPort === undefined ? `${url}/livez` : `${metricsUrl}/metrics`;
  await waitUntil(`${name} to answer`, async () => child.hasEnded() || (await answers(probe)), { waitMsMax: 60_000 });
  const mustRun = (): void => {
    if (child.hasEnded())
      throw new BenchError(`${name} has ended by itself:\n${readFileSync(logFile, 'utf8').slice(-2000)}`);
  };
  mustRun();
  return {
    url,
    metricsUrl,
    pid: child.pid,
    mustRun,
    stop: () => child.stop(),
    async kill() {
      child.signal('SIGKILL');
      await child.ended;
    },
  };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    // Not listening yet: the caller asks again.
    return false;
  }
}
