// commands.test.ts -- What every command does first: `--help` prints its own help and does nothing else, and an older Bun is told so.

import { afterAll, describe, expect, test } from 'bun:test';
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import { findProgram } from '../../tools/stack/find-program.ts';
import { makeClone, plainEnvironment } from './clone.ts';

const root = resolve(import.meta.dirname, '../..');
const commands = Object.keys(manifest.scripts);
/** Also where machines are busy: a command that began its work would take longer, or fail without stores. */
const helpMsMax = 20_000;

test.each(commands)(
  'bun run %s --help prints the help of this command, and does nothing else',
  async (command) => {
    const { out, err, code } = await run(root, [process.execPath, 'run', '--silent', command, '--help']);
    // Some have a second, shorter name.
    const name = { key: 'keys', dead: 'dead-letters' }[command] ?? command;
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out.split('\n')[0]).toContain(`bun run ${name}`);
  },
  helpMsMax,
);

describe('a Bun that is too old', () => {
  const clone = makeClone();
  afterAll(() => clone[Symbol.dispose]());
  const lockFile = join(clone.folder, 'bun.lock');
  const lock = readFileSync(lockFile, 'utf8');
  const path = join(clone.folder, 'package.json');
  writeFileSync(path, readFileSync(path, 'utf8').replace(manifest.engines.bun, '>=99.1.2'));
  const said = [
    `Bun ${Bun.version} is too old, 99.1.2 or newer is needed:`,
    'run `bun upgrade`, or put `npx -y bun@latest` in the place of `bun`.\n',
  ];

  test.each(commands)(
    'is told so by bun run %s, in one line, and nothing is touched',
    async (command) => {
      const { out, err, code } = await run(clone.folder, [process.execPath, 'run', '--silent', command]);
      expect({ out, err, code }).toEqual({ out: '', err: said.join(' '), code: 1 });
      expect(readFileSync(lockFile, 'utf8')).toBe(lock);
      expect(existsSync(join(clone.folder, '.local'))).toBe(false);
    },
    helpMsMax,
  );
});

test('bun run test runs nothing when one of the places has no test, and names it', async () => {
  const command = [process.execPath, 'run', '--silent', 'test', 'test/unit/bloom-filter.test.ts', 'test/unit/no-such'];
  const { out, err, code } = await run(root, command);
  expect(err).toStartWith('No test is in test/unit/no-such: ');
  expect(out).toEndWith('0 passed, 1 failed\n');
  expect(code).toBe(1);
}, 20_000);

const npm = findProgram('npm');

// Node need not be there: Bun is all that the tests ask for.
test.if(npm !== undefined).each(['dev', 'test'])(
  'npm run %s without Bun on the path says how to run it',
  async (command) => {
    using clone = makeClone();
    const bin = join(clone.folder, 'bin');
    mkdirSync(bin);
    for (const name of ['node', 'npm', 'sh']) symlinkSync(findProgram(name) ?? '', join(bin, name));
    const child = Bun.spawn([join(bin, 'npm'), 'run', '--silent', command], {
      cwd: clone.folder,
      env: { PATH: bin, HOME: clone.folder },
      stdout: 'pipe',
      stderr: 'pipe',
    });
    const [err, code] = await Promise.all([child.stderr.text(), child.exited]);
    expect({ err, code }).toEqual({ err: `Bun is not on the PATH. Run: npx -y bun run ${command}\n`, code: 1 });
  },
  helpMsMax,
);

test('a .local that cannot be written ends dev with one line and its cure', async () => {
  using clone = makeClone();
  // Root may write everywhere, so a file stands in the way.
  writeFileSync(join(clone.folder, '.local'), '');
  const { err, code } = await run(clone.folder, [process.execPath, 'tools/dev.ts'], { PORT: '0' });
  // The port is looked at first.
  expect({ err, code }).toEqual({ err: '\nPORT is "0": it must be a port from 1 to 65535.\n', code: 1 });
  const blocked = await run(clone.folder, [process.execPath, 'tools/dev.ts'], { PORT: '18099' });
  expect(blocked).toMatchObject({ out: '', code: 1 });
  expect(blocked.err.trim()).toMatch(
    /^[.]local, the folder for data, cannot be written [(]\w+[)]: remove it, or make it yours with .*$/,
  );
});

test('a folder with data of another kind of MySQL is told as that', async () => {
  using clone = makeClone();
  const { startMysqlServer } = await import('../../tools/stack/mysql-server.ts');
  const folder = join(clone.folder, 'data');
  const data = join(folder, 'mysql');
  mkdirSync(data, { recursive: true });
  // A server that says it is MySQL, and data that MariaDB has made.
  const program = join(clone.folder, 'mysqld');
  writeFileSync(program, '#!/bin/sh\necho "mysqld  Ver 8.4.0 for Linux"\n');
  chmodSync(program, 0o755);
  writeFileSync(join(data, 'aria_log_control'), '');
  await expect(startMysqlServer({ folder, program })).rejects.toThrow(
    `${data} has data of MariaDB, and ${program} is MySQL, which cannot read them. Put MariaDB on the PATH again, or remove that folder`,
  );
});

async function run(folder: string, command: string[], environment: Record<string, string> = {}) {
  const child = Bun.spawn(command, {
    cwd: folder,
    env: { ...plainEnvironment(), ...environment },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { out, err, code };
}
