// Where the load tools come from: the PATH, else a private copy under `.local/tools`, made once; else an error that says how to install it.
import { existsSync, mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { installFromPypi } from '../../tools/packages.ts';
import { findProgram } from '../../tools/stack/find-program.ts';
import { say, step } from '../../tools/progress.ts';
import { mustRun } from '../../tools/stack/run-command.ts';
import { BenchError } from '../bench-error.ts';

/** Where to look, and where a private copy goes. */
export interface Places {
  readonly folder: string;
  find(name: string): string | undefined;
}

const usual: Places = { folder: resolve(import.meta.dirname, '../../.local/tools'), find: findProgram };

/** The versions that the suites were tried with. */
const k6Version = 'v1.8.1';
export const locustVersion = '2.43.4';

/** @throws BenchError that says how to get it */
export async function findK6({ folder, find }: Places = usual): Promise<string> {
  const bin = resolve(folder, 'bin');
  const own = resolve(bin, 'k6');
  const found = find('k6') ?? (existsSync(own) ? own : undefined);
  if (found !== undefined) return found;
  const howTo =
    'k6 not found: install it (https://grafana.com/docs/k6/latest/set-up/install-k6/), or Go, which can build it';
  const go = find('go');
  if (go === undefined) throw new BenchError(howTo);
  say(`  k6 not found: building it with Go, once, which takes some minutes`);
  mkdirSync(bin, { recursive: true });
  await step(
    'k6',
    () => mustRun(go, ['install', `go.k6.io/k6@${k6Version}`], { environment: { ...process.env, GOBIN: bin } }),
    () => 'built',
  ).catch((error: unknown) => {
    throw new BenchError(`${howTo}. Go could not: ${lastLine(error)}`, { cause: error });
  });
  return own;
}

/** @throws BenchError that says how to get it */
export async function findLocust({ folder, find }: Places = usual): Promise<string> {
  const environment = resolve(folder, 'locust');
  const own = resolve(environment, 'bin/locust');
  const found = find('locust') ?? (existsSync(own) ? own : undefined);
  if (found !== undefined) return found;
  const howTo = `Locust not found: install it (pip install locust==${locustVersion}), or Python 3.10 or newer with venv and pip`;
  const python = find('python3');
  if (python === undefined) throw new BenchError(howTo);
  say(`  Locust not found: installing it into an environment of its own, once`);
  await step(
    'locust',
    () => installFromPypi(python, `locust==${locustVersion}`, environment),
    () => 'installed',
  ).catch((error: unknown) => {
    throw new BenchError(`${howTo}. Python could not: ${lastLine(error)}`, { cause: error });
  });
  return own;
}

function lastLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).trimEnd().split('\n').at(-1) ?? '';
}
