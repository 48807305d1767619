// spans.ts -- Runs of sequences: what entries hold, as few disjoint ones in order.

import type { Allocation } from './entry.ts';

/** Sequences from `from` up to, but not including, `to`. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** The sequences that an entry holds. */
export function spanOf({ firstSequence, users }: Allocation): Span {
  return { from: firstSequence, to: firstSequence + users.length };
}

export function sizeOf(spans: readonly Span[]): number {
  return spans.reduce((sum, { from, to }) => sum + to - from, 0);
}

/** Spans as few disjoint ones, in order, cut off at `end`. */
export function mergeSpans(spans: readonly Span[], end: number): readonly Span[] {
  const merged: { from: number; to: number }[] = [];
  for (const { from, to } of spans.toSorted((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    const until = Math.min(to, end);
    if (from >= until) continue;
    if (last && from <= last.to) last.to = Math.max(last.to, until);
    else merged.push({ from, to: until });
  }
  return merged;
}
