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
const HEARTBEAT_MS = 15_000;
/** A browser connects again after so long. */
const RETRY_MS = 2000;
/** Events that wait for a slow caller. */
const BEHIND_MAX = 16;

/**
 * Makes the answer.
 *
 * @param onClose called once, when either side has ended the stream
 * @param signal aborted when the caller disconnects, where the server knows it before the stream does
 */
export function eventStream(onClose: () => void, signal?: AbortSignal): EventStream {
  const encoder = new TextEncoder();
  let controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  const write = (text: string) => {
    if (controller && (controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(text));
  };
  const heartbeat = setInterval(() => write(': alive\n\n'), HEARTBEAT_MS);
  const close = () => {
    if (!controller) return;
    controller = null;
    clearInterval(heartbeat);
    signal?.removeEventListener('abort', end);
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
  signal?.addEventListener('abort', end);
  write(`retry: ${RETRY_MS}\n\n`);
  return {
    response: new Response(body, { headers }),
    send: (event, data) => write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`),
    end,
  };
}

/** No cache keeps it, and no proxy gathers it (the last is what nginx asks for). */
const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' };
