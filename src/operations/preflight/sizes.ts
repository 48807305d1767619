// sizes.ts -- How many bytes a drop takes, as `bun run bench --sizes` measures them; docs/scaling.md has its table.

/** An owner in Redis: a user id of up to 10 characters, and one of 64. */
export const OWNER_BYTES = { least: 64, most: 128 } as const;

/** A user in an entry that waits to become rows: in a batch of 500, and alone. */
export const WAITING_BYTES = { least: 9.5, most: 104 } as const;

/** A row in MySQL with its index. */
export const ROW_BYTES = 142.5;
