// monitor.ts -- Entry of `bun run monitor`: Prometheus and the dashboards of `monitoring/` beside the running `bun run dev`, in Grafana where
// it is installed, and else in a page that draws the same panels.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { localFolder, readDev, type DevRecord } from './dev/local-folder.ts';
import { helpOn } from './help.ts';
import { exporterOf } from './monitor/exporter-user.ts';
import { startGrafana } from './monitor/grafana.ts';
import { serveDashboards } from './monitor/panels.ts';
import { startMonitoring } from './monitor/processes.ts';
import { ensureMonitoringPrograms, howToGetMonitoringPrograms } from './monitor/programs.ts';
import { paint, say, step } from './progress.ts';
import { cleanUpOnSignals } from './stack/cleanup.ts';
import { findProgram } from './stack/find-program.ts';
import { isPortFree } from './stack/free-port.ts';

helpOn(`bun run monitor              watches the running \`bun run dev\`: Prometheus with the alerts and dashboards of monitoring/

Prometheus is at port 9090, the dashboards at port 3100: in Grafana where it is installed, else in a page that draws the same
panels. Both listen on this machine alone. Nothing is kept when it ends.`);

const cleanup = cleanUpOnSignals({ code: 0, words: 'Stopped.' });

try {
  await monitor();
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : String(error)}`);
  await cleanup.run();
  process.exit(1);
}

async function monitor(): Promise<void> {
  const dev = readDev();
  if (dev === undefined || !(await answers(`${dev.apiUrl}/livez`))) {
    throw new Error('No `bun run dev` runs here: start it in another terminal, then this again.');
  }
  const programs = await ensureMonitoringPrograms();
  if (programs === undefined) throw new Error(`There is no Prometheus here: ${howToGetMonitoringPrograms}.`);
  mkdirSync(join(localFolder, 'monitor'), { recursive: true });
  const folder = mkdtempSync(join(localFolder, 'monitor', 'run-'));
  cleanup.add(() => rmSync(folder, { recursive: true, force: true }));
  const { apiUrl, workerUrl, REDIS_URL: redisUrl } = dev;
  const watched = { apiUrl, workerUrl, redisUrl, mysql: await exporterOf(dev.DATABASE_URL) };
  const port = await portOr(9090);
  const prometheusUrl = await step(
    'prometheus',
    () => startMonitoring(programs, watched, { folder, undo: cleanup.add, ...(port === undefined ? {} : { port }) }),
    (url) => url,
  );
  const dashboardsUrl = await step(
    'dashboards',
    () => startDashboards(prometheusUrl, folder),
    (url) => url,
  );
  sayWhereToGo(dev, prometheusUrl, dashboardsUrl);
}

/** In Grafana, or in our page; returns the address of the first to look at. */
async function startDashboards(prometheusUrl: string, folder: string): Promise<string> {
  const grafana = findProgram('grafana');
  const port = (await portOr(3100)) ?? 0;
  if (grafana !== undefined && port !== 0) {
    return await startGrafana(grafana, { prometheusUrl, folder, port, undo: cleanup.add });
  }
  const server = serveDashboards(prometheusUrl, port);
  cleanup.add(() => server.stop(true));
  return server.url.href;
}

function sayWhereToGo(dev: DevRecord, prometheusUrl: string, dashboardsUrl: string): void {
  say(`\n${paint('green', `Watching ${dev.apiUrl}.`)}\n`);
  say(`  dashboards   ${dashboardsUrl}`);
  say(`  alerts       ${prometheusUrl}/alerts`);
  say(`  runbook      ${prometheusUrl}/consoles/runbook.html`);
  say(
    `\nNext, in another terminal: ${paint('bold', 'bun run rehearse')} sends a crowd. Ctrl-C stops Prometheus and the dashboards.\n`,
  );
}

/** The port where it is free, else undefined. */
async function portOr(port: number): Promise<number | undefined> {
  return (await isPortFree(port)) ? port : undefined;
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    // Whoever wrote the record has ended.
    return false;
  }
}
