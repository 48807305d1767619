// preflight.ts -- Entry of `bun run preflight --coupon N`: what a drop lacks, as `GET /v1/coupons/N/preflight` says it.

import { checkDrop } from '../operations/preflight/checks.ts';
import { readFacts } from '../operations/preflight/facts.ts';
import type { Preflight } from '../operations/preflight/findings.ts';
import { OperatorError } from '../operator-error.ts';
import { fileLimitFault } from '../runtime/file-limit.ts';
import { socketBacklog } from '../runtime/socket-backlog.ts';
import { readCouponOption, runCommand, withStores } from './command.ts';

const USAGE = `usage: bun run preflight --coupon N

Checks whether the system can handle the drop of coupon N. Run it where an API runs: limits of files and sockets are those of this
process. Exit code 1: at least one check is an error.`;

await runCommand(USAGE, async (args) => {
  const couponId = Number(readCouponOption(args, false));
  await withStores(async (stores) => {
    const { settings } = stores;
    const host = () => ({ filesFault: fileLimitFault(settings), socketBacklog: socketBacklog() });
    const facts = await readFacts({ ...stores, host }, couponId);
    if (!facts) throw new OperatorError(`there is no coupon ${couponId}`);
    const found = checkDrop(facts, settings);
    for (const line of linesOf(found)) console.log(line);
    if (found.status === 'error') process.exitCode = 1;
  });
});

function linesOf({ pieces, redisBytes, mysqlBytes, checks }: Preflight): string[] {
  const megabytes = (bytes: number | null) => Math.ceil((bytes ?? 0) / 1e6).toLocaleString('en');
  const needs = `${pieces?.toLocaleString('en')} pieces take at most ${megabytes(redisBytes)} MB in Redis and ${megabytes(mysqlBytes)} MB in MySQL.`;
  const lines = checks.map(({ status, name, server, code, detail, advice }) => {
    const head = [status.padEnd(7), name.padEnd(16), ...(server === null ? [] : [server])].join(' ');
    return status === 'ok' ? `${head} ${detail}` : `${head} ${code}: ${detail}. ${advice}`;
  });
  return pieces === null ? lines : [needs, ...lines];
}
