// settings-table.test.ts -- docs/configuration.md and `.env.example` say of the settings what the schema says, and nothing else.
import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { readConfig } from '../../src/config/config.ts';
import { settings } from '../../src/config/settings.ts';
import { documents, environmentExample, settingsTable, withSettingsTable } from '../../tools/docs/settings-table.ts';

const addresses = { DATABASE_URL: 'mysql://root@localhost/coupons', REDIS_URL: 'redis://localhost' };

test('the table of settings is the one that the schema gives', () => {
  const text = readFileSync(documents.table, 'utf8');
  expect(withSettingsTable(text), 'run `bun run docs`').toBe(text);
});

test('`.env.example` is the one that the schema gives', () => {
  expect(readFileSync(documents.example, 'utf8'), 'run `bun run docs`').toBe(environmentExample());
});

test('a table that differs from the schema is corrected, and what stands around it is left alone', () => {
  const old = '# Title\n<!-- settings -->\n| PORT | 1 |\n<!-- settings -->\nThe end, for $1 and $&.\n';
  const fresh = `# Title\n<!-- settings -->\n\n${settingsTable()}\n<!-- settings -->\nThe end, for $1 and $&.\n`;
  expect(withSettingsTable(old)).toBe(fresh);
  expect(withSettingsTable(fresh)).toBe(fresh);
});

test('the second marker may be an end', () => {
  const readme = '<!-- settings -->\n<!-- /settings -->\n';
  expect(withSettingsTable(readme)).toBe(`<!-- settings -->\n\n${settingsTable()}\n<!-- /settings -->\n`);
});

test('a document without markers is refused', () => {
  expect(() => withSettingsTable('# Title\n')).toThrow('there is no table between two <!-- settings --> markers');
});

test('the table has one row for each setting, in the order of the schema', () => {
  const names = [...settingsTable().matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
  expect(names).toEqual(Object.keys(settings.properties));
});

test('every line of the table has four cells', () => {
  const counts = settingsTable()
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/(?<!\\)\|/).length - 2);
  expect(new Set(counts)).toEqual(new Set([4]));
});

test('`.env.example` has every setting, and sets none', () => {
  const lines = environmentExample().split('\n');
  const names = lines.flatMap((line) => /^# ([A-Z_]+)=/.exec(line)?.[1] ?? []);
  expect(names).toEqual(Object.keys(settings.properties));
  expect(lines.filter((line) => line !== '' && !line.startsWith('#'))).toEqual([]);
});

test('`.env.example` with its marks taken off gives the defaults', () => {
  const environment = Object.fromEntries(
    environmentExample()
      .split('\n')
      .flatMap((line) => {
        const [, name, value] = /^# ([A-Z_]+)=(.*)$/.exec(line) ?? [];
        return name === undefined || value === undefined ? [] : [[name, value] as const];
      }),
  );
  expect(readConfig(undefined, { ...environment, ...addresses })).toEqual(readConfig(undefined, addresses));
});

test('neither document holds the name of this host', () => {
  expect(environmentExample()).not.toContain(`WORKER_NAME=${hostname()}`);
  expect(settingsTable()).not.toContain(`\`${hostname()}\``);
});
