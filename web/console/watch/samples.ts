// samples.ts -- The points of the plots of a drop: one a second while the page is open, and before that those of its timeline.

import type { Load, Progress, Timeline } from '../../../client/coupon-client.ts';

/** One instant. Null where nothing is known. */
export interface Point {
  readonly seconds: number;
  readonly accepted: number | null;
  readonly refused: number | null;
  readonly left: number | null;
  readonly backlog: number | null;
  readonly lagMs: number | null;
}

/** A value, and when it came by `performance.now()`. */
export interface Sample<Value> {
  readonly value: Value;
  readonly atMs: number;
}

/** What was seen last of each. */
export interface Seen {
  readonly progress: Sample<Progress> | null;
  readonly load: Sample<Load> | null;
  /** To make a rate with `load`. */
  readonly loadBefore: Sample<Load> | null;
}

/** What is older than this is not shown as if it were now. */
export const FRESH_MS = 3000;

/** Ten minutes; what is older comes from the timeline, which is read again before. */
const POINTS_MAX = 600;

export function withPoint(points: readonly Point[], point: Point): readonly Point[] {
  return [...points.slice(1 - POINTS_MAX), point];
}

export function isFresh(sample: Sample<unknown> | null, nowMs: number): boolean {
  return sample !== null && nowMs - sample.atMs <= FRESH_MS;
}

/** Whether what is seen is of now. Until the first samples can have come, the page is connecting. */
export function livenessOf({
  progress,
  load,
  openedMs,
  nowMs,
}: Pick<Seen, 'progress' | 'load'> & { readonly openedMs: number; readonly nowMs: number }) {
  if (isFresh(progress, nowMs) && isFresh(load, nowMs)) return 'live';
  const sinceMs = nowMs - openedMs;
  return sinceMs <= FRESH_MS && (progress === null || load === null) ? 'connecting' : 'notLive';
}

/**
 * What is known now.
 *
 * Counts of refusals are of one process: when another answered, or it was restarted, there is no rate.
 */
export function pointOf({ progress, load, loadBefore }: Seen, nowMs: number, wallMs: number): Point {
  const stock = isFresh(progress, nowMs) ? progress?.value : undefined;
  const busy = isFresh(load, nowMs) ? load?.value : undefined;
  const before = loadBefore?.value;
  const isSame = busy && before && before.process === busy.process;
  return {
    seconds: wallMs / 1000,
    accepted: stock?.issuedPerSecond ?? null,
    refused: isSame ? rate(busy.refused - before.refused, (busy.uptimeMs - before.uptimeMs) / 1000) : null,
    left: stock?.left ?? null,
    backlog: busy?.unpersisted ?? null,
    lagMs: busy?.oldestMs ?? null,
  };
}

function rate(grown: number, seconds: number): number {
  return seconds > 0 ? Math.max(0, Math.round(grown / seconds)) : 0;
}

/** A drop that is over by so much is shown from its first issue to its last. */
const OVER_S = 300;

/**
 * The points of a timeline until the page took over. Where there was much, they are a second apart; where there was nothing, further.
 */
export function timelinePoints(timeline: Timeline, total: number | null, untilS: number): readonly Point[] {
  const issues = timeline.issues.map(({ date, ...rest }) => ({ ...rest, atS: Date.parse(date) / 1000 }));
  const [first] = issues;
  if (!first) return [];
  const refused = timeline.refused.map(({ date, count }) => ({ atS: Date.parse(date) / 1000, count }));
  const [firstRefused] = refused;
  const edges = new Set<number>();
  for (const { atS } of [...issues, ...refused]) edges.add(Math.floor(atS)).add(Math.floor(atS) + 1);
  const times = [...edges].filter((second) => second <= untilS).toSorted((a, b) => a - b);
  const points: Point[] = [];
  for (const [i, seconds] of times.entries()) {
    const fromS = times[i - 1];
    if (fromS === undefined) continue;
    const isIn = ({ atS }: { readonly atS: number }) => atS >= fromS && atS < seconds;
    const issued = issuedAt(issues, seconds);
    const lags = issues.filter(isIn).map(({ persistedMs }) => persistedMs);
    const isCounted = timeline.complete || (firstRefused !== undefined && fromS >= firstRefused.atS);
    const callers = refused.filter(isIn).reduce((sum, { count }) => sum + count, 0);
    points.push({
      seconds,
      accepted: rate(issued - issuedAt(issues, fromS), seconds - fromS),
      refused: isCounted ? rate(callers, seconds - fromS) : null,
      left: total === null ? null : Math.max(0, total - issued),
      backlog: null,
      lagMs: lags.length > 0 ? Math.max(...lags) : null,
    });
  }
  return points;
}

interface Issue {
  readonly atS: number;
  readonly sequence: number;
}

/** How many issues there were at an instant: between two that are known, as if they came evenly. */
function issuedAt(issues: readonly Issue[], atS: number): number {
  const after = issues.findIndex((issue) => issue.atS >= atS);
  if (after === -1) return issues.at(-1)?.sequence ?? 0;
  const [before, next] = [issues[after - 1], issues[after]];
  if (!before || !next) return 0;
  const part = (atS - before.atS) / Math.max(0.001, next.atS - before.atS);
  return before.sequence + part * (next.sequence - before.sequence);
}

/** What people ask after a drop. */
export interface Summary {
  /** The most issues in one second. */
  readonly peak: number;
  readonly lagMs: { readonly median: number; readonly most: number } | null;
  /** From the start to the last issue of a coupon that is sold out. */
  readonly soldOutAfterMs: number | null;
}

interface Terms {
  readonly totalQuantity: number | null;
  readonly dateIssueStart: string;
  readonly dateCreated: string;
}

export function summaryOf({ issues: found }: Timeline, { totalQuantity, dateIssueStart, dateCreated }: Terms): Summary {
  const issues = found.map(({ date, ...rest }) => ({ ...rest, atS: Date.parse(date) / 1000 }));
  const lags = issues.map(({ persistedMs }) => persistedMs).toSorted((a, b) => a - b);
  const last = issues.at(-1);
  // The first at an instant: more may have been issued at it.
  const peak = issues.map(({ atS, sequence }) => issuedAt(issues, atS + 1) - sequence + 1);
  // A coupon that was made after its start could not be issued before.
  const startS = Math.max(Date.parse(dateIssueStart), Date.parse(dateCreated)) / 1000;
  const isSoldOut = last !== undefined && totalQuantity !== null && last.sequence >= totalQuantity;
  return {
    peak: Math.round(Math.max(0, ...peak)),
    lagMs: lags.length > 0 ? { median: lags[Math.floor(lags.length / 2)] ?? 0, most: lags.at(-1) ?? 0 } : null,
    soldOutAfterMs: isSoldOut ? Math.max(0, Math.round((last.atS - startS) * 1000)) : null,
  };
}

/** The seconds that are shown first: those of the drop while it is going on, and from its first issue to its last once it is over. */
export function wholeDrop(points: readonly Point[], timeline: Timeline | null): readonly [number, number] | null {
  const dates = timeline?.issues.map(({ date }) => Date.parse(date) / 1000) ?? [];
  const [first, last, end] = [dates[0], dates.at(-1), points.at(-1)?.seconds];
  if (first === undefined || last === undefined || end === undefined) return null;
  return end - last > OVER_S ? [first - 2, last + 5] : [first - 2, end];
}
