// archive.ts -- Entry of `bun run archive`: moves the issues of a coupon that is over to a file, and back.

import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { archiveCoupon, type ArchiveDependencies, restoreArchive } from '../operations/archive.ts';
import { runCommand, UsageError, withStores } from './command.ts';

const usage = `usage: bun run archive --coupon N [--file FILE]   move its issues to FILE (coupon-N.csv), once it is over and closed
       bun run archive --restore FILE             move them back
Both can be repeated after an interruption.`;

/** Between two lines that say how far it is. */
const SAY_MS = 1000;

await runCommand(usage, (args) => {
  const work = readWork(args);
  return withStores(async (stores) => console.log(await work({ ...stores, say: createSay() })));
});

function readWork(args: string[]): (dependencies: ArchiveDependencies) => Promise<string> {
  let values: { coupon?: string | undefined; file?: string | undefined; restore?: string | undefined };
  try {
    const options = { coupon: { type: 'string' }, file: { type: 'string' }, restore: { type: 'string' } } as const;
    values = parseArgs({ args, options }).values;
  } catch {
    throw new UsageError(`wrong option: ${args.join(' ')}`);
  }
  const { coupon, restore, file = `coupon-${coupon}.csv` } = values;
  if (restore !== undefined && coupon === undefined && values.file === undefined) {
    const path = resolve(restore);
    return async (dependencies) =>
      `${await restoreArchive(dependencies, path)} issue(s) are rows again; ${path} is kept.`;
  }
  if (restore !== undefined || coupon === undefined || !/^[1-9]\d{0,14}$/.test(coupon))
    throw new UsageError('--coupon must be the id of a coupon, or --restore a file');
  const path = resolve(file);
  return async (dependencies) =>
    `${await archiveCoupon(dependencies, Number(coupon), path)} issue(s) of coupon ${coupon} are in ${path}.`;
}

function createSay(): (step: string) => void {
  let saidMs = Number.NEGATIVE_INFINITY;
  return (step) => {
    if (performance.now() - saidMs < SAY_MS) return;
    saidMs = performance.now();
    console.error(step);
  };
}
