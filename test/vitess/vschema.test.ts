// vschema.test.ts -- The vschema of deploy/vitess has a place for every table that the migrations and their progress make.

import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { getTableName, is } from 'drizzle-orm';
import { getTableConfig, MySqlTable } from 'drizzle-orm/mysql-core';
import * as schema from '../../drizzle/schema.ts';
import * as webhookTables from '../../drizzle/webhook-tables.ts';

interface Vschema {
  readonly tables: Readonly<
    Record<string, { readonly column_vindexes: readonly { readonly column: string; readonly name: string }[] }>
  >;
}

const folder = resolve(import.meta.dirname, '../../deploy/vitess');
const { tables } = JSON.parse(readFileSync(join(folder, 'sharded.json'), 'utf8')) as Vschema;
const known = Object.values({ ...schema, ...webhookTables }).filter((value) => is(value, MySqlTable));

test('every table is in it, and no other', () => {
  const names = [...known.map(getTableName), 'coupon_issue_days', 'migration_progress', '__drizzle_migrations'];
  expect(Object.keys(tables).toSorted()).toEqual(names.toSorted());
});

test('every unique key contains the column by which its table is sharded', () => {
  for (const table of known) {
    const { name, columns, primaryKeys, indexes } = getTableConfig(table);
    const [vindex] = tables[name]?.column_vindexes ?? [];
    const own = columns.filter(({ primary }) => primary).map((column) => [column.name]);
    const composite = primaryKeys.map((key) => key.columns.map((column) => column.name));
    const unique = indexes
      .filter(({ config }) => config.unique)
      .map(({ config }) => config.columns.map((column) => ('name' in column ? String(column.name) : '')));
    const keys = [...own, ...composite, ...unique];
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) expect(key).toContain(vindex?.column ?? 'a vindex');
  }
});
