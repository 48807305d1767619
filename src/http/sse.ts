// sse.ts -- Server-sent events as one web-standard answer: kept alive, never buffered without bound, ended cleanly.

/** A stream of events to one caller. */
export interface EventStream {
  readonly response: Response;
  /** Sends an event. A caller who reads too slowly misses some: each event must stand for itself. */
  send(event: string, data: unknown): void;
  /** Ends the stream from this side. */
  end(): void;
}

/** Proxies and browsers give a silent connection up after half a minute or so. */
export const HEARTBEAT_MS = 15_000;
/** A browser connects again after so long when a stream breaks, */
const RETRY_MS = 2000;
/** and after so long when it is renewed. */
const RENEW_MS = 100;
/** Events that wait for a slow caller. */
const BEHIND_MAX = 16;

/**
 * How long a stream lives: with the seconds for which its place is kept, less than two heartbeats. The spread keeps streams that
 * began together from ending together.
 */
export const streamLifeMs = (): number => 20_000 + Math.random() * 5000;

export interface StreamOptions {
  readonly lifeMs: number;
  /** Called once, when either side has ended the stream. */
  onClose(): void;
  /** Called when the life is over; returns the id that the caller sends back as `Last-Event-ID` when it reconnects. */
  onRenew(): string;
  /** Aborted when the caller disconnects, where the server knows it before the stream does. */
  readonly signal: AbortSignal;
}

/**
 * Makes the answer. A caller that vanished, or that never reads, looks like any other while the buffers of the network take what is
 * sent, so every stream ends after a while, and a caller that is there opens the next.
 */
export function eventStream({ lifeMs, onClose, onRenew, signal }: StreamOptions): EventStream {
  const encoder = new TextEncoder();
  let controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  const write = (text: string) => {
    if (controller && (controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(text));
  };
  const heartbeat = setInterval(() => write(': alive\n\n'), HEARTBEAT_MS);
  const life = setTimeout(() => {
    // A slow caller gets it too, beyond the bound, since it is the last.
    controller?.enqueue(encoder.encode(`retry: ${RENEW_MS}\nid: ${onRenew()}\nevent: renew\ndata: {}\n\n`));
    end();
  }, lifeMs);
  const close = () => {
    if (!controller) return;
    controller = null;
    clearInterval(heartbeat);
    clearTimeout(life);
    signal.removeEventListener('abort', end);
    onClose();
  };
  const end = () => {
    const open = controller;
    close();
    open?.close();
  };
  const body = new ReadableStream<Uint8Array>(
    {
      start: (started) => {
        controller = started;
      },
      cancel: close,
    },
    new CountQueuingStrategy({ highWaterMark: BEHIND_MAX }),
  );
  signal.addEventListener('abort', end);
  write(`retry: ${RETRY_MS}\n\n`);
  return {
    response: new Response(body, { headers }),
    send: (event, data) => write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`),
    end,
  };
}

/** No cache keeps it, and no proxy gathers it (the last is what nginx asks for). */
const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' };
