// history.ts -- What a live page has seen: one point a second for a few minutes, made of events and of the load of the server.

import type { Load, Progress } from '../../client/coupon-client.ts';

/** One second. Null where nothing is known. */
export interface Point {
  readonly seconds: number;
  readonly accepted: number | null;
  readonly refused: number | null;
  readonly left: number | null;
  readonly backlog: number | null;
  readonly oldestMs: number | null;
}

/** Five minutes. */
const POINTS_MAX = 300;

/** Adds a point, and forgets the oldest beyond five minutes. */
export function withPoint(points: readonly Point[], point: Point): readonly Point[] {
  return [...points.slice(1 - POINTS_MAX), point];
}

/** What was seen last, to make a rate of the next. */
export interface Seen {
  readonly progress: Progress | null;
  readonly load: Load | null;
}

/**
 * The point between two sights.
 *
 * Counts of refusals are of one process: when another answered, or it was restarted, there is no rate.
 */
export function pointBetween(before: Seen, now: Seen, wallMs: number): Point {
  const sameProcess = before.load && now.load && before.load.process === now.load.process;
  const loadSeconds = before.load && now.load ? (now.load.uptimeMs - before.load.uptimeMs) / 1000 : 0;
  return {
    seconds: wallMs / 1000,
    // As the server measured it: two samples of its own are further apart, or nearer, than two sights of this page.
    accepted: now.progress?.issuedPerSecond ?? null,
    refused: sameProcess ? rate(now.load.refused - before.load.refused, loadSeconds) : null,
    left: now.progress?.left ?? null,
    backlog: now.load?.unpersisted ?? null,
    oldestMs: now.load?.oldestMs ?? null,
  };
}

function rate(grown: number, seconds: number): number {
  return seconds > 0 ? Math.max(0, Math.round(grown / seconds)) : 0;
}
