// nginx.ts -- The proxy of compose.yaml as it is shipped, run by Debian's nginx: only addresses, folders and, for some tests, numbers of
// its files are replaced.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { firstReply } from '../../tools/stack/first-reply.ts';
import { mustRun } from '../../tools/stack/run-command.ts';
import { type PrivateServer, startPrivateServer } from '../../tools/stack/private-server.ts';
import { findNginx } from '../../tools/test-programs.ts';

export interface NginxOptions {
  readonly folder: string;
  /** The ports of the two APIs. */
  readonly apis: readonly [number, number];
  /** With TLS on this port. */
  readonly tlsPort?: number;
  /** Further texts of proxy.conf and nginx.conf, each to be found exactly once. */
  readonly replace?: Readonly<Record<string, string>>;
}

const shipped = resolve(import.meta.dirname, '../../deploy/compose');

/** Starts it. Throws with the end of its log when it does not come up. */
export async function startNginx(options: NginxOptions): Promise<PrivateServer> {
  const { folder } = options;
  mkdirSync(join(folder, 'tls'), { recursive: true });
  return await startPrivateServer(
    {
      name: 'nginx',
      async prepare() {
        if (options.tlsPort !== undefined) await makeCertificate(join(folder, 'tls'));
      },
      command(port) {
        writeFiles(options, port);
        const user = process.getuid?.() === 0 ? 'user root; ' : '';
        const args = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-g', `${user}daemon off;`];
        return { program: findNginx() ?? 'nginx', args };
      },
      isReady: async (port) => (await firstReply(port, 'GET /livez HTTP/1.0\r\n\r\n')) !== undefined,
      url: (port) => `http://127.0.0.1:${port}`,
    },
    { folder },
  );
}

function writeFiles({ folder, apis, tlsPort, replace = {} }: NginxOptions, port: number): void {
  const left = new Set(Object.keys(replace));
  const write = (name: string, target: string, places: Readonly<Record<string, string>>) => {
    let text = readFileSync(join(shipped, name), 'utf8');
    for (const [from, to] of Object.entries(places)) text = replaceOnce(text, from, to);
    for (const [from, to] of Object.entries(replace)) {
      if (!text.includes(from)) continue;
      left.delete(from);
      text = replaceOnce(text, from, to);
    }
    writeFileSync(join(folder, target), text.replaceAll(/\/etc\/nginx\/|\/tmp\//g, `${folder}/`));
  };
  write('nginx.conf', 'nginx.conf', {
    'api-1:3000': `127.0.0.1:${apis[0]}`,
    'api-2:3000': `127.0.0.1:${apis[1]}`,
    'listen 8080': `listen 127.0.0.1:${port}`,
  });
  write('proxy.conf', 'proxy.conf', {});
  if (tlsPort !== undefined) write('tls.conf', 'tls/tls.conf', { 'listen 8443': `listen 127.0.0.1:${tlsPort}` });
  if (left.size > 0) throw new Error(`not in the files of the proxy: ${[...left].join(', ')}`);
}

function replaceOnce(text: string, from: string, to: string): string {
  const parts = text.split(from);
  if (parts.length !== 2) throw new Error(`${from} is ${parts.length - 1} times in the files of the proxy`);
  return parts.join(to);
}

async function makeCertificate(folder: string): Promise<void> {
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const args = ['req', '-x509', ...curve, '-subj', '/CN=localhost', '-days', '2', '-keyout', key, '-out', certificate];
  await mustRun('openssl', args);
}
