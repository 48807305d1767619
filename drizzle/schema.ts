// schema.ts -- The tables, in the part of SQL that MySQL 8 and 9, MariaDB 10.11 and Vitess share.
//
// No foreign keys, and every unique key contains the column its table could be sharded by (`coupon_id`), as Vitess asks.
// Times are UTC `datetime(3)`. User ids are `ascii_bin`: a case-folding collation would make two owners of Redis one row.

import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  char,
  check,
  index,
  int,
  mysqlEnum,
  mysqlTable,
  primaryKey,
  text,
  uniqueIndex,
  varchar,
} from 'drizzle-orm/mysql-core';
import { userIdText, digestText, keyText, codeText, instant } from './columns.ts';

export const coupons = mysqlTable(
  'coupons',
  {
    id: bigint('id', { mode: 'number', unsigned: true }).primaryKey().autoincrement(),
    title: varchar('title', { length: 200 }).notNull(),
    couponType: mysqlEnum('coupon_type', ['FIRST_COME_FIRST_SERVED']).notNull(),
    /** NULL means without limit. */
    totalQuantity: bigint('total_quantity', { mode: 'number', unsigned: true }),
    /** Grows by exactly the rows inserted, in their transaction. */
    issuedQuantity: bigint('issued_quantity', { mode: 'number', unsigned: true }).notNull().default(0),
    discountAmount: int('discount_amount', { unsigned: true }).notNull(),
    minAvailableAmount: int('min_available_amount', { unsigned: true }).notNull(),
    /** ISO 4217. */
    currency: char('currency', { length: 3 }).notNull().default('KRW'),
    /** When its issues can be used: between two instants, or so many days from issuing, as src/coupon/terms.ts says. */
    usableFrom: instant('usable_from'),
    usableUntil: instant('usable_until'),
    usableDays: int('usable_days', { unsigned: true }),
    /** Of these days: a name of the IANA. */
    timeZone: varchar('time_zone', { length: 64 }).notNull().default('UTC'),
    dateIssueStart: instant('date_issue_start').notNull(),
    dateIssueEnd: instant('date_issue_end').notNull(),
    paused: boolean('paused').notNull().default(false),
    /** Whether anyone may read it. What a release made that does not know this column was public. */
    listed: boolean('listed').notNull().default(true),
    stockHome: mysqlEnum('stock_home', ['mysql', 'redis']).notNull().default('mysql'),
    epoch: int('epoch', { unsigned: true }).notNull().default(0),
    /** When its rows began to be moved to a file; NULL while they are here. It is issued, opened and edited no more. */
    dateArchived: instant('date_archived'),
    version: int('version', { unsigned: true }).notNull().default(1),
    /** The key of the pseudonyms of erased users; NULL where nobody was erased, and once it is long over. See src/coupon/pseudonym.ts. */
    erasureKey: keyText('erasure_key'),
    dateCreated: instant('date_created').notNull(),
    dateUpdated: instant('date_updated').notNull(),
  },
  (table) => [
    // Serves the reconciler: every coupon whose stock is in Redis.
    index('coupons_by_home').on(table.stockHome, table.id),
    // The last guard of P1.
    check('coupons_never_too_many', sql`issued_quantity <= total_quantity`),
    check('coupons_period', sql`date_issue_start < date_issue_end`),
  ],
);

export const couponIssues = mysqlTable(
  'coupon_issues',
  {
    couponId: bigint('coupon_id', { mode: 'number', unsigned: true }).notNull(),
    sequence: bigint('sequence', { mode: 'number', unsigned: true }).notNull(),
    userId: userIdText('user_id').notNull(),
    /** When it was accepted, by the clock of the stock's home. */
    dateIssued: instant('date_issued').notNull(),
    /** NULL until redeemed. */
    dateUsed: instant('date_used'),
    /** What it was used for, such as the id of an order; NULL where the caller named nothing, and of erased users. */
    reference: varchar('reference', { length: 128 }),
    /** When an operator ended it; NULL while it counts for its user. */
    dateRevoked: instant('date_revoked'),
    // Left to the server: two calls of a function for each row are a tenth of what inserting it costs.
    dateCreated: instant('date_created').notNull().default(sql`CURRENT_TIMESTAMP(3)`),
    dateUpdated: instant('date_updated').notNull().default(sql`CURRENT_TIMESTAMP(3)`),
    /** Which accepted it; NULL where that is not known, as in rows of earlier releases. Written by number: another one goes to the end. */
    endpoint: mysqlEnum('endpoint', ['POST /v1/issue', 'POST /v1/issue-async', 'POST /v2/issue-async']),
  },
  (table) => [
    // Inserts append, and no sequence exists twice.
    primaryKey({ columns: [table.couponId, table.sequence] }),
    // P2; also serves "which of these users have it" and "my coupons".
    uniqueIndex('coupon_issues_by_user').on(table.userId, table.couponId),
  ],
);

/** Users who were erased from a coupon, by their pseudonyms: entries that were accepted before are theirs. */
export const erasedUsers = mysqlTable(
  'erased_users',
  {
    couponId: bigint('coupon_id', { mode: 'number', unsigned: true }).notNull(),
    pseudonym: userIdText('pseudonym').notNull(),
  },
  (table) => [primaryKey({ columns: [table.couponId, table.pseudonym] })],
);

/** How the codes of a coupon are generated; see src/codes/pattern.ts. */
export const codePatterns = mysqlTable(
  'code_patterns',
  {
    couponId: bigint('coupon_id', { mode: 'number', unsigned: true }).primaryKey(),
    pattern: codeText('pattern').notNull(),
    prefix: codeText('prefix').notNull(),
    /** Characters of a code. */
    length: int('length', { unsigned: true }).notNull(),
    /** Secret, and never changed: another key would give every issue another code. */
    codeKey: keyText('code_key').notNull(),
  },
  // Serves "of which coupon is this code".
  (table) => [index('code_patterns_by_prefix').on(table.prefix, table.length)],
);

/** Uploads of codes. The rows of one count from the instant on at which it is complete; see src/codes/importing.ts. */
export const codeImports = mysqlTable(
  'code_imports',
  {
    couponId: bigint('coupon_id', { mode: 'number', unsigned: true }).notNull(),
    /** A random number. */
    importId: bigint('import_id', { mode: 'number', unsigned: true }).notNull(),
    /** The position before its first code. */
    after: bigint('after_position', { mode: 'number', unsigned: true }).notNull(),
    codes: bigint('codes', { mode: 'number', unsigned: true }).notNull().default(0),
    complete: boolean('complete').notNull().default(false),
    /** When it last added codes: one that is not complete and old is over, and its rows are removed. */
    dateTouched: instant('date_touched').notNull(),
  },
  (table) => [primaryKey({ columns: [table.couponId, table.importId] })],
);

export const importedCodes = mysqlTable(
  'imported_codes',
  {
    couponId: bigint('coupon_id', { mode: 'number', unsigned: true }).notNull(),
    importId: bigint('import_id', { mode: 'number', unsigned: true }).notNull(),
    /** The sequence of the issue that it belongs to. */
    position: bigint('position', { mode: 'number', unsigned: true }).notNull(),
    code: codeText('code').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.couponId, table.importId, table.position] }),
    // No code twice in an upload; also serves "of which issue is this code".
    uniqueIndex('imported_codes_by_code').on(table.code, table.couponId, table.importId),
  ],
);

/** Who changed what; rows are only ever added. See src/auth/audit-trail.ts. */
export const auditTrail = mysqlTable(
  'audit_trail',
  {
    id: bigint('id', { mode: 'number', unsigned: true }).notNull().autoincrement(),
    /** 0 for what is of no coupon. */
    couponId: bigint('coupon_id', { mode: 'number', unsigned: true }).notNull(),
    /** NULL for actors that are no API key. */
    keyId: bigint('key_id', { mode: 'number', unsigned: true }),
    /** The name of the key or command. */
    actor: varchar('actor', { length: 100 }).notNull(),
    address: varchar('address', { length: 64 }),
    action: varchar('action', { length: 40 }).notNull(),
    // JSON, as text: MySQL takes no hexadecimal digits for a column of the type JSON.
    changedFrom: text('changed_from'),
    changedTo: text('changed_to'),
    dateCreated: instant('date_created').notNull().default(sql`CURRENT_TIMESTAMP(3)`),
  },
  (table) => [
    // Serves the list, the newest first.
    primaryKey({ columns: [table.id, table.couponId] }),
    // The same of one coupon, and of one key.
    index('audit_trail_by_coupon').on(table.couponId, table.id),
    index('audit_trail_by_key').on(table.keyId, table.id),
  ],
);

/** One row: what every process and every Redis of this installation must agree on. See src/installation/installation.ts. */
export const installation = mysqlTable('installation', {
  id: int('id', { unsigned: true }).primaryKey(),
  name: char('name', { length: 36 }).notNull(),
  partitions: int('partitions', { unsigned: true }).notNull(),
  /** The layout of keys in Redis. */
  layout: int('layout', { unsigned: true }).notNull(),
  /** The Redis that counts; NULL before the first. */
  redisId: char('redis_id', { length: 36 }),
  /** Rises when another Redis takes over. */
  generation: int('generation', { unsigned: true }).notNull().default(1),
  dateCreated: instant('date_created').notNull(),
});

export const apiKeys = mysqlTable('api_keys', {
  id: bigint('id', { mode: 'number', unsigned: true }).primaryKey().autoincrement(),
  /** Whose it is, for people. */
  name: varchar('name', { length: 100 }).notNull(),
  /** With commas, such as `issue,read`. */
  scopes: varchar('scopes', { length: 32 }).notNull(),
  /** The key itself is nowhere. A fast digest is enough: 256 random bits cannot be guessed from it, as a password could. */
  digest: digestText('digest').notNull(),
  dateCreated: instant('date_created').notNull(),
  /** NULL while it is valid. No index: there are at most a few hundred, and all are read together. */
  dateRevoked: instant('date_revoked'),
});

/** Who alone may do something for now. See src/mysql/lease.ts. */
export const leases = mysqlTable('leases', {
  name: varchar('name', { length: 32 }).primaryKey(),
  owner: varchar('owner', { length: 128 }).notNull(),
  dateUntil: instant('date_until').notNull(),
});
