// guarded-entry.ts -- A server on Bun that looks after its files, in a process of its own, until its input ends.
//
// It prints its port, then what it does about connections. /slow is answered only once `release` was said.

import process from 'node:process';
import { serve } from '../../src/runtime/serve.ts';

const gate = Promise.withResolvers<void>();
const answer = async (request: Request) => {
  if (new URL(request.url).pathname === '/slow') await gate.promise;
  return new Response('answered');
};
const server = await serve(answer, {
  host: '127.0.0.1',
  port: 0,
  onRefusing: (isRefusing) => console.log(isRefusing ? 'refusing' : 'accepting'),
  onError: (error) => {
    throw error;
  },
});
console.log(server.port);
process.stdin.on('data', () => gate.resolve()).on('end', () => void server.stop().then(() => process.exit(0)));
