// processes.ts -- Prometheus and the exporters of the stores as processes of our own, on free ports, with the configuration of `monitoring/`.

import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { MonitoringPrograms } from './programs.ts';
import { type ChildProcess, startChild } from '../stack/child-process.ts';
import { freePort } from '../stack/free-port.ts';
import { waitUntil } from '../stack/wait-until.ts';

const monitoringFolder = resolve(import.meta.dirname, '../../monitoring');
const waitMsMax = 20_000;

export interface WatchedAddresses {
  readonly apiUrl: string;
  readonly workerUrl: string;
  readonly redisUrl: string;
  /** User, password and address of MySQL. The exporter takes no user without a password. */
  readonly mysql: Readonly<Record<'user' | 'password' | 'host' | 'port', string>>;
}

/** Options that differ from one caller to another. */
export interface MonitoringOptions {
  /** An empty one, for data and configuration. */
  readonly folder: string;
  /** Gets what stops each process, also when this fails. */
  readonly undo: (step: () => unknown) => void;
  /** Where Prometheus listens; a free port unless given. */
  readonly port?: number;
}

/** Starts exporters and Prometheus. Resolves with its URL once it is ready. */
export async function startMonitoring(
  programs: MonitoringPrograms,
  { apiUrl, workerUrl, redisUrl, mysql }: WatchedAddresses,
  { folder, undo, port }: MonitoringOptions,
): Promise<string> {
  const optionFile = join(folder, 'exporter.cnf');
  const lines = Object.entries(mysql).map(([option, value]) => `${option}=${value}\n`);
  // With a password in it.
  writeFileSync(optionFile, `[client]\n${lines.join('')}`, { mode: 0o600 });
  const [redisTarget, mysqlTarget] = await Promise.all([
    startProgram(programs.redisExporter, undo, (on) => [`--redis.addr=${redisUrl}`, `--web.listen-address=${on}`]),
    startProgram(programs.mysqldExporter, undo, (on) => [
      `--config.my-cnf=${optionFile}`,
      `--web.listen-address=${on}`,
    ]),
  ]);
  const targets = {
    api: new URL(apiUrl).host,
    worker: new URL(workerUrl).host,
    redis: redisTarget,
    mysql: mysqlTarget,
  };
  const configFile = writePrometheusConfig(folder, targets);
  const arguments_ = (on: string) => [
    `--config.file=${configFile}`,
    `--storage.tsdb.path=${join(folder, 'prometheus')}`,
    `--web.listen-address=${on}`,
    // The runbook, where `runbook_url` of each alert leads.
    `--web.console.templates=${join(monitoringFolder, 'consoles')}`,
    `--web.external-url=http://${on}`,
  ];
  return `http://${await startProgram(programs.prometheus, undo, arguments_, { readyPath: '/-/ready', port })}`;
}

/** The configuration of `monitoring/` with these addresses, every store once a second too, and without an Alertmanager. */
function writePrometheusConfig(folder: string, targets: Readonly<Record<string, string>>): string {
  const config = Bun.YAML.parse(readFileSync(join(monitoringFolder, 'prometheus.yml'), 'utf8')) as {
    rule_files: string[];
    scrape_configs: { job_name: string }[];
  };
  const file = join(folder, 'prometheus.json');
  // JSON is YAML too.
  const text = JSON.stringify({
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: config.rule_files.map((path) => join(monitoringFolder, path)),
    scrape_configs: config.scrape_configs.map((job) => ({
      ...job,
      static_configs: [{ targets: [targets[job.job_name]] }],
    })),
  });
  writeFileSync(file, text);
  return file;
}

/** Starts a program that says nothing of its port, and returns host and port once it answers there. */
async function startProgram(
  program: string,
  undo: MonitoringOptions['undo'],
  args: (address: string) => string[],
  { readyPath = '/metrics', port }: { readyPath?: string; port?: number | undefined } = {},
): Promise<string> {
  const address = `127.0.0.1:${port ?? (await freePort())}`;
  const child = await startChild({ program, args: args(address), stdio: 'ignore' });
  undo(() => child.stop());
  await waitUntil(`${program} to answer`, () => answers(child, program, `http://${address}${readyPath}`), {
    waitMsMax,
  });
  return address;
}

async function answers(child: ChildProcess, program: string, url: string): Promise<boolean> {
  if (child.hasEnded()) throw new Error(`${program} ended before it answered`);
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2000) })).ok;
  } catch {
    // Not listening yet.
    return false;
  }
}
