// live.ts -- What the page knows of the coupon and how it stays true: an event stream shared by the pages of the browser, else reads with backoff.
//
// What is not known is null, and is not shown. Everything begins again by itself when the network is back, and stops while the page is hidden.

import { computed, signal } from '@preact/signals';
import { createCouponClient, type Drop } from '../../client/coupon-client.ts';
import { clockOfAnswers, type ServerClock } from '../shared/clock.ts';
import { followTogether } from '../shared/one-stream.ts';
import { nextReadMs } from './pace.ts';
import { couponId, navigationTimes, pageData } from './page-data.ts';

/** How the stock stands. */
interface Stock {
  readonly paused: boolean;
  readonly version: number;
  readonly totalQuantity: number | null;
  /** Null without limit, or when it is not known. */
  readonly left: number | null;
}

export const drop = signal<Drop | null>(null);
export const stock = signal<Stock | null>(null);
export const isMissing = signal(false);
export const isOnline = signal(navigator.onLine !== false);
/** Reads in a row that failed. */
export const failures = signal(0);
export const nowMs = signal(0);

export type State = 'before' | 'open' | 'paused' | 'sold out' | 'ended';

/** Null as long as the coupon is not known. */
export const state = computed<State | null>(() => {
  const coupon = drop.value;
  if (!coupon) return null;
  if (nowMs.value >= Date.parse(coupon.dateIssueEnd)) return 'ended';
  if (stock.value?.paused ?? coupon.paused) return 'paused';
  if (nowMs.value < Date.parse(coupon.dateIssueStart)) return 'before';
  return stock.value?.left === 0 ? 'sold out' : 'open';
});

// Each of its requests is tried once: when to try again is decided here.
const client = createCouponClient({ url: location.origin, attemptsMax: 1 });
const answers = clockOfAnswers();
let clock: ServerClock | null = null;
let isConnected = false;
let unchanged = 0;
/** When the stock was last heard of, by `performance.now()`. */
let heardMs = 0;
let reading: ReturnType<typeof setTimeout> | undefined;
let ticking: ReturnType<typeof setTimeout> | undefined;
let catchingUp: ReturnType<typeof setTimeout> | undefined;
/** The version that the coupon is read for, and how often it was. */
let wanted = { version: 0, reads: 0 };
let stopFollowing: (() => void) | null = null;

/** Longer than any pause between two reads of an open drop. */
const STOCK_AGE_MS_MAX = 45_000;
const CATCH_UP_MS = 1000;
/** Caches are behind for two reads at most. A version that does not come at all, as after a restored backup, is not asked for without end. */
const CATCH_UPS_MAX = 5;
const STREAM_PAUSE_MS_MAX = 300_000;

/** Begins with what the server put into the page. */
export function start(): void {
  const times = navigationTimes();
  if (pageData.drop && times) take(pageData.drop, times.sentMs, times.answeredMs);
  document.addEventListener('visibilitychange', () => {
    clearTimeout(reading);
    if (!document.hidden) void read();
  });
  addEventListener('pageshow', ({ persisted }) => {
    if (persisted) void read();
  });
  addEventListener('offline', () => {
    isOnline.value = false;
  });
  addEventListener('online', () => {
    isOnline.value = true;
    failures.value = 0;
    stopFollowing?.();
    stopFollowing = null;
    void read();
  });
  void read();
}

/** Reads the coupon, and again later for as long as nothing else tells how it stands. */
export async function read(): Promise<void> {
  clearTimeout(reading);
  const sentMs = performance.now();
  const result = await client.drops.read(couponId);
  if (result.kind === 'done') {
    failures.value = 0;
    isMissing.value = false;
    take(result.value, sentMs, performance.now());
    if (stock.value) catchUp(stock.value.version);
    listen();
  } else if (result.kind === 'refused' && result.problem.status !== 429) isMissing.value = true;
  else failures.value += 1;
  if (!isMissing.value) schedule();
}

function schedule(): void {
  clearTimeout(reading);
  if (document.hidden || isConnected) return;
  const startInMs = drop.value ? Date.parse(drop.value.dateIssueStart) - nowMs.value : 0;
  const over = state.value === 'ended' || state.value === 'sold out';
  const phase = state.value === null ? 'unknown' : over ? 'over' : startInMs > 0 ? 'before' : 'open';
  const pauseMs = nextReadMs({ phase, startInMs, failures: failures.value, unchanged }, Math.random());
  reading = setTimeout(() => void read(), pauseMs);
}

/** Once the coupon is there: the stream of one that is not would be refused. */
function listen(): void {
  stopFollowing ??= followTogether(
    { client, couponId, name: 'drop-events', pauseMsMax: STREAM_PAUSE_MS_MAX },
    {
      onProgress(progress) {
        failures.value = 0;
        heard(progress);
        catchUp(progress.version);
      },
      onConnected(connected) {
        if (connected === isConnected) return;
        isConnected = connected;
        schedule();
      },
    },
  );
}

function take(coupon: Drop, sentMs: number, answeredMs: number): void {
  clock = answers.set(Date.parse(coupon.now), sentMs, answeredMs);
  // A cache may answer with an older one.
  if ((drop.value?.version ?? 0) <= coupon.version) drop.value = coupon;
  if (!isConnected && (stock.value?.version ?? 0) <= coupon.version) heard(coupon);
  tick();
}

function heard({ paused, version, totalQuantity, left }: Stock): void {
  unchanged = left === stock.value?.left ? unchanged + 1 : 0;
  heardMs = performance.now();
  stock.value = { paused, version, totalQuantity, left };
}

/** A newer version is an edit: title and period may be other ones now. A cache may answer with the old one for two seconds. */
function catchUp(version: number): void {
  // One that is due is not put off: news may come as often as it takes.
  if (!drop.value || version <= drop.value.version || catchingUp !== undefined) return;
  if (wanted.version !== version) wanted = { version, reads: 0 };
  if (wanted.reads >= CATCH_UPS_MAX) return;
  wanted.reads += 1;
  catchingUp = setTimeout(() => {
    catchingUp = undefined;
    void read();
  }, CATCH_UP_MS);
}

/** Draws at the next whole second of the server, so that the countdown ends when the drop begins. */
function tick(): void {
  if (!clock) return;
  nowMs.value = clock.nowMs();
  clearTimeout(ticking);
  ticking = setTimeout(tick, 1000 - (nowMs.value % 1000) + 5);
  const known = stock.value;
  const isOld = !isConnected && performance.now() - heardMs > STOCK_AGE_MS_MAX;
  // One that was sold out stays so until there is news.
  if (isOld && known?.left) stock.value = { ...known, left: null };
}
