// run-command.test.ts -- A command has ended when its process has, whatever it left running.

import { expect, test } from 'bun:test';
import { runCommand } from '../../tools/stack/run-command.ts';

test('a process that a command left behind, with its streams, does not keep it waiting', async () => {
  const { ok, output } = await runCommand('sh', ['-c', 'sleep 600 & echo "left $!"']);
  const left = Number(/^left (\d+)$/.exec(output)?.[1]);
  process.kill(left);
  expect({ ok, left: left > 0 }).toEqual({ ok: true, left: true });
}, 60_000);
