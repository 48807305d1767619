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
  customType,
  datetime,
  index,
  int,
  mysqlEnum,
  mysqlTable,
  primaryKey,
  text,
  uniqueIndex,
  varchar,
} from 'drizzle-orm/mysql-core';

const userIdText = customType<{ data: string }>({
  dataType: () => 'varchar(255) CHARACTER SET ascii COLLATE ascii_bin',
});

/** A SHA-256 digest in hexadecimal. */
const digestText = customType<{ data: string }>({
  dataType: () => 'char(64) CHARACTER SET ascii COLLATE ascii_bin',
});

/** A key of 256 bits in base64url. */
const keyText = customType<{ data: string }>({
  dataType: () => 'char(43) CHARACTER SET ascii COLLATE ascii_bin',
});

const instant = (name: string) => datetime(name, { fsp: 3, mode: 'date' });

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
    // Left to the server: two calls of a function for each row are a tenth of what inserting it costs.
    dateCreated: instant('date_created').notNull().default(sql`CURRENT_TIMESTAMP(3)`),
    dateUpdated: instant('date_updated').notNull().default(sql`CURRENT_TIMESTAMP(3)`),
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
