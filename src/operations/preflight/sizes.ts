// sizes.ts -- How many bytes a drop takes at most, as `bun run bench --sizes` measures them for ids of 64 characters; docs/scaling.md has
// its table.

/** An owner in Redis, right after its hash has grown. */
export const OWNER_BYTES = 135;

/** A user who waits in Redis to become a row, alone in an entry; in the batches of a rush it is less. */
export const WAITING_BYTES = 113;

/** A row in MySQL with its indexes. */
export const ROW_BYTES = 316;
