// deno-entry.ts -- The app on fakes, served by Deno, steered by lines: it prints its port, and drains and ends on `stop`.
//
// An issue of coupon 12 prints `entered` and waits for the line `release`.

import process from 'node:process';
import { serve } from '../../src/runtime/serve.ts';
import { fakeInstallations, issueWithin } from './fakes.ts';

const gate = Promise.withResolvers<void>();
const issueSlowly = issueWithin(async () => {
  console.log('entered');
  await gate.promise;
});
const server = await serve(fakeInstallations({ issuance: { issue: issueSlowly } }).fetch, {
  host: '127.0.0.1',
  port: 0,
  onError: (error) => {
    throw error;
  },
});
console.log(server.port);

for await (const line of process.stdin.setEncoding('utf8')) {
  if (line === 'release\n') gate.resolve();
  if (line === 'stop\n') void server.stop().then(() => process.exit(0));
}
// The input ended without `stop`: whoever started this is gone.
process.exit(1);
