// events.ts -- Follows a coupon by server-sent events. Reads them with `fetch`, since the browser's own reader can send no credentials.

/** One picture of a coupon; see `GET /v1/coupons/:id/events`. */
export interface Progress {
  readonly couponId: number;
  readonly version: number;
  readonly totalQuantity: number | null;
  readonly issued: number;
  /** Null without limit. */
  readonly left: number | null;
  readonly unpersisted: number | null;
  readonly issuedPerSecond: number;
  readonly paused: boolean;
}

export interface Follower {
  onProgress(progress: Progress): void;
  /** Whether pictures are coming; false while the connection is being made again. */
  onConnected(connected: boolean): void;
}

const AGAIN_MS = 2000;

/**
 * Follows until it is told to stop; a connection that breaks is made again after two seconds.
 *
 * @returns the function that stops it
 */
export function follow(couponId: number, key: string | null, follower: Follower): () => void {
  const stop = new AbortController();
  void run(couponId, key, follower, stop.signal);
  return () => stop.abort();
}

async function run(couponId: number, key: string | null, follower: Follower, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await readOnce(couponId, key, follower, signal);
    } catch {
      // A broken connection and a server that is away are the same to who waits: not connected, and tried again.
    }
    if (signal.aborted) return;
    follower.onConnected(false);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, AGAIN_MS);
      signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
    });
  }
}

async function readOnce(
  couponId: number,
  key: string | null,
  { onProgress, onConnected }: Follower,
  signal: AbortSignal,
): Promise<void> {
  const headers = { accept: 'text/event-stream', ...(key && { authorization: `Bearer ${key}` }) };
  const answer = await fetch(`/v1/coupons/${couponId}/events`, { headers, cache: 'no-store', signal });
  if (!answer.ok || answer.body === null) return;
  onConnected(true);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    const events = (text + piece.value).split('\n\n');
    text = events.pop() ?? '';
    for (const event of events) {
      const data = /^data: (.*)$/m.exec(event)?.[1];
      if (data !== undefined) onProgress(JSON.parse(data) as Progress);
    }
  }
}
