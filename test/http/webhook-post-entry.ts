// webhook-post-entry.ts -- Sends requests to webhooks, on Bun or Deno: one for each line of JSON that it is told, and tells what became of it.

import process from 'node:process';
import { createInterface } from 'node:readline';
import { post } from '../../src/webhooks/post.ts';

/** One request. */
export interface PostRequest {
  readonly url: string;
  readonly timeMsMax?: number;
  readonly isPrivateAllowed?: boolean;
  /** What every name leads to; null: resolving never ends; undefined: by the system. */
  readonly address?: string | null;
  readonly ca?: string;
  readonly abortAfterMs?: number;
}

for await (const line of createInterface({ input: process.stdin })) {
  const { url, timeMsMax = 400, isPrivateAllowed = true, address, ca, abortAfterMs } = JSON.parse(line) as PostRequest;
  const stop = new AbortController();
  if (abortAfterMs !== undefined) setTimeout(() => stop.abort(), abortAfterMs);
  let resolved = 0;
  const resolve = () => {
    resolved += 1;
    return address === null
      ? new Promise<never>(() => undefined)
      : Promise.resolve([{ address: address ?? '', family: 4 }]);
  };
  const headers = { 'content-type': 'application/json', 'webhook-id': 'msg_1' };
  const startMs = performance.now();
  const answer = await post(url, '{"a":"가"}', headers, {
    timeMsMax,
    isPrivateAllowed,
    signal: stop.signal,
    ...(address !== undefined && { resolve }),
    ...(ca !== undefined && { ca }),
  });
  console.log(JSON.stringify({ answer, resolved, tookMs: performance.now() - startMs }));
}
