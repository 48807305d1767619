// judge.ts -- Entry of `bun run judge HISTORY [--bound SECONDS]`. Exit code: 0 it is right, 1 it is refused, 2 it was not judged.

import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { say } from '../../tools/progress.ts';
import { judgeHistory } from './porcupine.ts';

const USAGE = `bun run judge HISTORY [--bound SECONDS]

  HISTORY   a file of JSON lines, as bun run chaos writes it
  --bound   how long for each coupon, 30 by default`;

const exitCodes = { ok: 0, refused: 1, undecided: 2, unavailable: 2 } as const;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { bound: { type: 'string', default: '30' }, help: { type: 'boolean', short: 'h', default: false } },
});
const [path] = positionals;
if (values.help || path === undefined || !/^[1-9]\d{0,4}$/.test(values.bound)) {
  say(USAGE);
  process.exit(values.help ? 0 : 2);
}
const { verdict, lines } = await judgeHistory(resolve(path), Number(values.bound));
for (const line of lines) say(line);
process.exit(exitCodes[verdict]);
