// upload.ts -- Uploads a file of codes. `fetch` does not say how much of a body was sent, so this is an XMLHttpRequest.

import { readCouponCodes, readProblem } from '../../../client/answers.ts';
import type { CouponCodes, RequestResult } from '../../../client/coupon-client.ts';

export interface Upload {
  readonly couponId: number;
  readonly file: File;
  readonly key: string;
  /** Called with the part that was sent, from 0 to 1. */
  onProgress(part: number): void;
  readonly signal: AbortSignal;
}

/** The result is a value, as every one of the client's. */
export function uploadCodes({ couponId, file, key, onProgress, signal }: Upload): Promise<RequestResult<CouponCodes>> {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open('POST', `/v1/coupons/${couponId}/codes/import`);
    request.setRequestHeader('authorization', `Bearer ${key}`);
    request.setRequestHeader('content-type', /\.json$/i.test(file.name) ? 'application/json' : 'text/csv');
    request.upload.onprogress = ({ loaded, total }) => onProgress(total === 0 ? 1 : loaded / total);
    request.onloadend = () => resolve(resultOf(request));
    signal.addEventListener('abort', () => request.abort());
    request.send(file);
  });
}

function resultOf(request: XMLHttpRequest): RequestResult<CouponCodes> {
  const body = parse(request.responseText);
  const value = request.status === 200 ? readCouponCodes(body) : null;
  if (value) return { kind: 'done', value, isReplayed: false, serverMs: null };
  if (request.status < 400)
    return { kind: 'ambiguous', reason: 'bounds', attempts: 1, problem: null, cause: null, retryAfterMs: null };
  const headers = new Headers({ 'x-request-id': request.getResponseHeader('x-request-id') ?? '' });
  const problem = readProblem({ status: request.status, headers }, body);
  return { kind: 'refused', problem, retryAfterMs: null, afterAmbiguous: false, attempts: 1 };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
