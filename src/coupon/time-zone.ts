// time-zone.ts -- Days of time zones, by the tables of the runtime: which date it is, and when a day ends, also where clocks are changed.

const DAY_MS = 86_400_000;
/** Further from UTC than any time zone. */
const OFFSET_MS_MAX = 15 * 3_600_000;
/** Shorter than any time by which clocks were ever put back over a midnight. */
const STEP_MS = 1_800_000;
/** From here on dates may have five digits, and would not compare as text. */
const LAST_DAY_MS = Date.UTC(9999, 11, 30);

const zoneExpression = /^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/;

/** What a name of a time zone looks like; `isTimeZone` knows which there are. */
export const TIME_ZONE_PATTERN = zoneExpression.source;

/** Whether there is a time zone of this name. */
export function isTimeZone(name: string): boolean {
  if (!zoneExpression.test(name)) return false;
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: name }));
  } catch {
    return false;
  }
}

/** Making a format takes longer than to use it a hundred times. */
const readers = new Map<string, (ms: number) => string>();
const READERS_MAX = 1000;

/** The date of an instant in a time zone, as `2026-12-01`. */
export function dateReader(timeZone: string): (ms: number) => string {
  const known = readers.get(timeZone);
  if (known) return known;
  const format = new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' });
  const reader = (ms: number) => format.format(ms);
  if (readers.size >= READERS_MAX) readers.clear();
  readers.set(timeZone, reader);
  return reader;
}

/**
 * The first instant after the day that is so many days later than that of `fromMs`, in a time zone. Where clocks are put back over
 * midnight, a day is over when it is for the last time.
 */
export function endOfDay(timeZone: string, fromMs: number, daysLater: number): number {
  const dateOf = dateReader(timeZone);
  const nextMs = Date.parse(dateOf(fromMs)) + (daysLater + 1) * DAY_MS;
  if (nextMs > LAST_DAY_MS) return nextMs;
  const next = new Date(nextMs).toISOString().slice(0, 10);
  let endMs = nextMs + OFFSET_MS_MAX;
  let lastMs = endMs - STEP_MS;
  while (dateOf(lastMs) >= next) {
    endMs = lastMs;
    lastMs -= STEP_MS;
  }
  // The last instant of the day is `lastMs` or later, and before `endMs`.
  while (endMs - lastMs > 1) {
    const middleMs = Math.floor((lastMs + endMs) / 2);
    if (dateOf(middleMs) < next) lastMs = middleMs;
    else endMs = middleMs;
  }
  return endMs;
}
