// shared-port-entry.ts -- In a network namespace of its own: replaces the processes that share a port one after the other, while callers
// open a connection for each request. Prints what became of the requests, as JSON.
//
// Its arguments are the value of `net.ipv4.tcp_migrate_req`, the number of processes, and how often each is replaced.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';

const CALLERS = 64;
const MIGRATE = '/proc/sys/net/ipv4/tcp_migrate_req';

/** What became of all requests, and how many each process answered. */
export interface SharedPortResult {
  answered: number;
  /** The connection was opened, and ended without an answer. */
  broken: number;
  /** No connection was opened. */
  refused: number;
  readonly byProcess: Record<string, number>;
}

const [migrate = '0', processes = '4', rounds = '1'] = process.argv.slice(2);
spawnSync('ip', ['link', 'set', 'lo', 'up']);
writeFileSync(MIGRATE, migrate);

interface Sharer {
  readonly port: number;
  readonly stop: () => Promise<unknown>;
}

async function startSharer(port: number): Promise<Sharer> {
  const args = [process.execPath, join(import.meta.dir, '../http/port-sharer.ts'), String(port)];
  const child = Bun.spawn(args, { stdin: 'pipe', stdout: 'pipe', stderr: 'inherit' });
  const { value } = await child.stdout.getReader().read();
  const stop = async () => {
    await child.stdin.end();
    return child.exited;
  };
  return { port: Number(new TextDecoder().decode(value)), stop };
}

/** One request on a connection of its own. */
function ask(port: number, result: SharedPortResult): Promise<void> {
  return new Promise((resolve) => {
    let [isOpen, text] = [false, ''];
    const socket = connect({ port, host: '127.0.0.1' }, () => {
      isOpen = true;
      socket.write('GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
    });
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      const answered = /^HTTP\/1.1 200[^]*\r\n\r\n(\d+)$/.exec(text)?.[1];
      if (answered !== undefined) {
        result.answered += 1;
        result.byProcess[answered] = (result.byProcess[answered] ?? 0) + 1;
      } else if (isOpen) result.broken += 1;
      else result.refused += 1;
      resolve();
    });
  });
}

const first = await startSharer(0);
const { port } = first;
const sharers = [first];
while (sharers.length < Number(processes)) sharers.push(await startSharer(port));
const result: SharedPortResult = { answered: 0, broken: 0, refused: 0, byProcess: {} };
let isOver = false;
const calling = Array.from({ length: CALLERS }, async () => {
  while (!isOver) await ask(port, result);
});
for (let round = 0; round < Number(rounds); round += 1) {
  for (const [i, sharer] of sharers.entries()) {
    await sharer.stop();
    sharers[i] = await startSharer(port);
  }
}
isOver = true;
await Promise.all(calling);
await Promise.all(sharers.map(({ stop }) => stop()));
console.log(JSON.stringify(result));
