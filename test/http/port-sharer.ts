// port-sharer.ts -- A process that answers with its own number on a port that it shares, on Bun or Deno, until its input ends.
//
// Its argument is the port, 0 for a free one; it prints the port.

import process from 'node:process';
import { serve } from '../../src/runtime/serve.ts';

const server = await serve(async () => new Response(String(process.pid)), {
  host: '127.0.0.1',
  port: Number(process.argv[2]),
  reusePort: true,
  onError: (error) => {
    throw error;
  },
});
console.log(server.port);
process.stdin.on('data', () => {}).on('end', () => void server.stop().then(() => process.exit(0)));
