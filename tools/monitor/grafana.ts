// grafana.ts -- Grafana as a process of our own, with the data source and the dashboards of `monitoring/`; anybody on this machine may look.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { startChild } from '../stack/child-process.ts';
import { waitUntil } from '../stack/wait-until.ts';

const provisioning = resolve(import.meta.dirname, '../../monitoring/grafana/provisioning');
const dashboards = resolve(import.meta.dirname, '../../monitoring/grafana/dashboards');
// Its first start migrates a database.
const waitMsMax = 60_000;

export interface GrafanaOptions {
  readonly prometheusUrl: string;
  readonly folder: string;
  readonly port: number;
  readonly undo: (step: () => unknown) => void;
}

/** Starts it. Resolves with the address of the dashboard of a drop once it answers. */
export async function startGrafana(
  program: string,
  { prometheusUrl, folder, port, undo }: GrafanaOptions,
): Promise<string> {
  const own = join(folder, 'grafana');
  writeProvisioning(own, 'datasources/prometheus.yaml', 'http://prometheus:9090', prometheusUrl);
  writeProvisioning(own, 'dashboards/coupons.yaml', '/var/lib/grafana/dashboards', dashboards);
  const child = await startChild({
    program,
    args: ['server', '--homepath', process.env['GF_PATHS_HOME'] ?? '/usr/share/grafana'],
    stdio: 'ignore',
    environment: {
      ...process.env,
      GF_SERVER_HTTP_ADDR: '127.0.0.1',
      GF_SERVER_HTTP_PORT: String(port),
      GF_PATHS_DATA: join(own, 'data'),
      GF_PATHS_LOGS: join(own, 'logs'),
      GF_PATHS_PROVISIONING: own,
      GF_AUTH_ANONYMOUS_ENABLED: 'true',
      GF_AUTH_ANONYMOUS_ORG_ROLE: 'Viewer',
      GF_ANALYTICS_REPORTING_ENABLED: 'false',
      GF_ANALYTICS_CHECK_FOR_UPDATES: 'false',
    },
  });
  undo(() => child.stop());
  const url = `http://127.0.0.1:${port}`;
  const isReady = async (): Promise<boolean> => {
    if (child.hasEnded()) throw new Error(`Grafana ended: see ${join(own, 'logs')}`);
    return await fetch(`${url}/api/health`).then(
      ({ ok }) => ok,
      () => false,
    );
  };
  await waitUntil('Grafana to answer', isReady, { waitMsMax });
  return `${url}/d/coupon-drop`;
}

function writeProvisioning(own: string, path: string, from: string, to: string): void {
  const file = join(own, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, readFileSync(join(provisioning, path), 'utf8').replace(from, to));
}
