// crash-points.ts -- Where the worker can be made to die between two steps of a transaction.

/** `after commit` is before the entries are settled, which is one script: nothing can die between acknowledging and deleting. */
export const crashPoints = ['before insert', 'before commit', 'after commit'] as const;
export type CrashPoint = (typeof crashPoints)[number];
