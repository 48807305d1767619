// panels.ts -- The dashboards of `monitoring/` without Grafana: a page that draws their panels from the data of Prometheus.

import { globSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = resolve(import.meta.dirname, '../../monitoring/grafana/dashboards');

/** Serves the page on this machine alone, with what it asks of Prometheus. */
export function serveDashboards(prometheusUrl: string, port: number) {
  const script = packageFile('uplot/dist/uPlot.iife.min.js');
  const style = packageFile('uplot/dist/uPlot.min.css');
  return Bun.serve({
    hostname: '127.0.0.1',
    port,
    routes: {
      '/': () => new Response(Bun.file(join(import.meta.dirname, 'panels.html'))),
      '/uPlot.js': () => new Response(Bun.file(script)),
      '/uPlot.css': () => new Response(Bun.file(style)),
      '/dashboards.json': () => Response.json(readDashboards()),
      // Reading alone: a query changes nothing.
      '/api/v1/:query': (request) =>
        query(`${prometheusUrl}/api/v1/${request.params.query}${new URL(request.url).search}`),
    },
    fetch: () => new Response('Not found', { status: 404 }),
  });
}

/** Decoded on the way: the headers of the answer say how it was sent to us. */
async function query(url: string): Promise<Response> {
  const { status, body } = await fetch(url);
  return new Response(body, { status, headers: { 'content-type': 'application/json' } });
}

/** By name, as their files are now: a saved change shows with the next reload. */
function readDashboards(): Record<string, unknown> {
  const files = globSync('*.json', { cwd: folder });
  return Object.fromEntries(
    files.map((file): [string, unknown] => [
      basename(file, '.json'),
      JSON.parse(readFileSync(join(folder, file), 'utf8')),
    ]),
  );
}

function packageFile(path: string): string {
  return fileURLToPath(import.meta.resolve(path));
}
