// columns.ts -- Types of columns that several tables share.

import { customType, datetime } from 'drizzle-orm/mysql-core';

export const userIdText = customType<{ data: string }>({
  dataType: () => 'varchar(255) CHARACTER SET ascii COLLATE ascii_bin',
});

/** A SHA-256 digest in hexadecimal. */
export const digestText = customType<{ data: string }>({
  dataType: () => 'char(64) CHARACTER SET ascii COLLATE ascii_bin',
});

/** A key of 256 bits in base64url. */
export const keyText = customType<{ data: string }>({
  dataType: () => 'char(43) CHARACTER SET ascii COLLATE ascii_bin',
});

/** A code of a coupon, or a pattern of codes. */
export const codeText = customType<{ data: string }>({
  dataType: () => 'varchar(64) CHARACTER SET ascii COLLATE ascii_bin',
});

export const instant = (name: string) => datetime(name, { fsp: 3, mode: 'date' });
