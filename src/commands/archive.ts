// archive.ts -- Entry of `bun run archive`: moves the issues of a coupon that is over to a file, and back.

import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { archiveCoupon, type ArchiveDependencies, restoreArchive } from '../operations/archive.ts';
import { createSay, runCommand, UsageError, withFileFaults, withStores } from './command.ts';

const usage = `usage: bun run archive --coupon N [--file FILE]   moves the issues of a closed coupon to FILE (default: coupon-N.csv)
       bun run archive --restore FILE             moves them back
Both can be repeated after an interruption.`;

await runCommand(usage, (args) => {
  const work = readWork(args);
  return withStores(async (stores) => console.log(await withFileFaults(work({ ...stores, say: createSay() }))));
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
