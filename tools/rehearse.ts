// rehearse.ts -- Entry of `bun run rehearse`, a drop in a few seconds on the running `bun run dev`: a coupon, a crowd through all three
// endpoints, live figures, and then a verdict promise by promise.
//
// Exit codes: 0 every promise held; 1 one was broken; 2 it could not be run; 130 interrupted.

import { parseArgs } from 'node:util';
import { helpOn } from './help.ts';
import { paint, say } from './progress.ts';
import { Crowd } from './rehearsal/crowd.ts';
import { Display } from './rehearsal/display.ts';
import { findTarget, RehearsalError, type Target } from './rehearsal/target.ts';
import { judge, type Verdict } from './rehearsal/verdict.ts';

helpOn(`bun run rehearse             rehearses a drop on the running \`bun run dev\`, and checks every promise

  --users N        number of users (default: 3000); each uses one of the three endpoints, and one in ten sends a duplicate request
  --pieces N       number of coupons (default: 1000)
  --wait S         seconds until the coupon opens (default: 5)
  --connections N  concurrent requests (default: 128)

For another installation, set API_URL and ADMIN_API_KEY, an operator key. It creates its own coupon and issues it to test users.
Exit code: 0 every promise held; 1 a promise was broken; 2 the rehearsal could not run.`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
try {
  process.exit((await rehearse()) ? 0 : 1);
} catch (error) {
  if (!(error instanceof RehearsalError)) throw error;
  console.error(error.message);
  process.exit(2);
}

/** Whether every promise held. */
async function rehearse(): Promise<boolean> {
  const { users, pieces, wait, connections } = readOptions();
  const target = await findTarget();
  const startMs = target.nowMs() + wait * 1_000;
  const couponId = await target.createCoupon(pieces, startMs);
  say(
    `${paint('bold', `Rehearsal: coupon ${couponId}`)}, ${count(pieces)} pieces, ${count(users)} users, three endpoints`,
  );
  say(paint('dim', `  watch it at ${target.apiUrl}/drop/${couponId}\n`));
  const crowd = new Crowd({ target, couponId, users, connections, startMs });
  const display = new Display({ crowd, pieces, startMs, nowMs: target.nowMs });
  try {
    await crowd.run();
  } finally {
    display.stop();
  }
  return report(await judge(target, crowd, { couponId, pieces, startMs }), crowd, target, couponId);
}

function report(verdicts: readonly Verdict[], crowd: Crowd, target: Target, couponId: number): boolean {
  say('');
  for (const { promise, holds, isPromise, detail } of verdicts) {
    const mark = holds ? paint('green', '✓') : paint('red', isPromise ? '✗ BROKEN' : '✗');
    say(`  ${promise.padEnd(26)} ${mark} ${detail}`);
  }
  const isExact = verdicts.every(({ holds }) => holds);
  const isBroken = verdicts.some(({ holds, isPromise }) => isPromise && !holds);
  const failure = isBroken
    ? 'Not exact: a promise was broken.'
    : 'Not decided: some answers were ambiguous or no answers of an issue.';
  const { requests, seconds, p50Ms, p99Ms } = crowd.figures();
  const rate = `${count(requests)} requests in ${seconds.toFixed(1)} s, ${count(Math.round(requests / seconds))} a second`;
  say(`\n${isExact ? paint('green', 'Exact: every promise held.') : paint('red', failure)} ${rate}`);
  say(
    paint('dim', `p50 ${p50Ms} ms, p99 ${p99Ms} ms; generator and system share this machine, so this is no benchmark`),
  );
  say(paint('dim', `more: ${target.apiUrl}/console, coupon ${couponId}; bun run bench measures`));
  return isExact;
}

function readOptions() {
  const option = { type: 'string' } as const;
  try {
    const { values } = parseArgs({ options: { users: option, pieces: option, wait: option, connections: option } });
    return {
      users: whole('--users', values.users ?? '3000', 10, 1_000_000),
      pieces: whole('--pieces', values.pieces ?? '1000', 1, 1_000_000),
      wait: whole('--wait', values.wait ?? '5', 2, 3_600),
      connections: whole('--connections', values.connections ?? '128', 1, 256),
    };
  } catch (error) {
    throw new RehearsalError(`${error instanceof Error ? error.message : String(error)}; see bun run rehearse --help`);
  }
}

function whole(name: string, text: string, minimum: number, maximum: number): number {
  const value = /^\d{1,7}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= minimum && value <= maximum) return value;
  throw new Error(`${name} must be a whole number from ${minimum} to ${maximum}`);
}

function count(value: number): string {
  return value.toLocaleString('en');
}
