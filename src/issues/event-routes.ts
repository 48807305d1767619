// event-routes.ts -- The progress of a coupon as server-sent events: who may listen, and to what.

import type { Authority } from '../auth/authority.ts';
import { couponIdParameter } from '../coupon/ids.ts';
import { Unavailable } from '../coupon/outcome.ts';
import { problem, retryAfter } from '../http/problem.ts';
import { addressOf } from '../http/rate-limit/address.ts';
import { route } from '../http/route.ts';
import { eventStream, streamLifeMs } from '../http/sse.ts';
import type { DropDependencies } from './drop-routes.ts';
import type { ListeningCaller, Places } from './places.ts';
import type { ProgressHub } from './progress.ts';

export interface EventsDependencies extends DropDependencies {
  readonly authority: Pick<Authority, 'isOn' | 'admit' | 'guard'>;
  readonly progress: Pick<ProgressHub, 'listen' | 'recent'>;
  readonly places: Pick<Places, 'take'>;
  readonly config: { readonly RETRY_AFTER_S: number };
  /** For tests to shorten. */
  readonly streamLifeMs?: () => number;
}

/** `GET /v1/coupons/:couponId/events`. */
export function eventsRoute(dependencies: EventsDependencies) {
  const { progress, places, config } = dependencies;
  return route(
    'GET',
    '/v1/coupons/:couponId/events',
    {
      operationId: 'followCoupon',
      tag: 'users',
      summary: 'Follow the issuing of a coupon',
      description: `Server-sent events named \`progress\`, each a full snapshot: \`totalQuantity\`, \`issued\`, \`left\` (null without limit),
\`unpersisted\` (accepted and not yet rows; null if unknown), \`issuedPerSecond\`, \`paused\`, \`version\`. The first is sent immediately, then
one per second while values change (for operators also while nothing changes), and occasional comments keep the connection alive. Each stream ends
after 20 to 25 seconds with an event named \`renew\`: reconnect immediately and send its \`id\` as \`Last-Event-ID\` to keep
your place among the listeners (a browser's \`EventSource\` does both). It ends without that event when the server stops.`,
      params: { couponId: couponIdParameter },
      answers: { 200: { description: 'The events.', type: 'text/event-stream', example: eventsExample } },
      problems: ['COUPON_NOT_EXIST', 'FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ request, params }) => {
      const caller = await listeningCaller(dependencies.authority, request);
      if (caller.kind !== 'operator' && !(await isPublic(dependencies, params.couponId)))
        return problem('COUPON_NOT_EXIST');
      const place = places.take(caller, request.headers.get('last-event-id'));
      if (place === 'all taken') throw new Unavailable('overloaded', 'too many listen already');
      if (place === 'own taken') {
        const detail = `This ${caller.kind} has too many event streams open.`;
        return problem('TOO_MANY_REQUESTS', detail, {}, retryAfter(config.RETRY_AFTER_S));
      }
      let isOver = false;
      let leave = () => {};
      const stream = eventStream({
        lifeMs: (dependencies.streamLifeMs ?? streamLifeMs)(),
        onClose: () => {
          isOver = true;
          leave();
        },
        onRenew: place.keep,
        signal: request.signal,
      });
      let left: (() => void) | null = null;
      try {
        const isSteady = caller.kind === 'operator';
        const listener = { isSteady, next: (one: unknown) => stream.send('progress', one), end: stream.end };
        left = await progress.listen(params.couponId, listener);
      } finally {
        if (!left) {
          stream.end();
          place.free();
        }
      }
      if (!left) return problem('COUPON_NOT_EXIST');
      const leaveHub = left;
      leave = () => {
        leaveHub();
        place.free();
      };
      // Gone while it was still joining.
      if (isOver || request.signal.aborted) leave();
      return stream.response;
    },
  );
}

/** An operator by the key, a user by the token; everybody else by the address. */
async function listeningCaller(
  { isOn, admit, guard }: EventsDependencies['authority'],
  request: Request,
): Promise<ListeningCaller> {
  if (request.headers.has('authorization')) {
    if (guard('read')(request) === null) return { kind: 'operator', name: null };
    const caller = isOn ? await admit(request, 'read') : null;
    if (caller && !(caller instanceof Response) && caller.userId !== null) return { kind: 'user', name: caller.userId };
  }
  return { kind: 'address', name: addressOf(request) };
}

/** Whether anyone may read the coupon. */
async function isPublic({ readPublic }: EventsDependencies, couponId: number): Promise<boolean> {
  return (await readPublic(couponId))?.listed === true;
}

const progressExample = {
  couponId: 1,
  version: 1,
  totalQuantity: 1000,
  issued: 37,
  left: 963,
  unpersisted: 2,
  paused: false,
  issuedPerSecond: 21,
};
const eventsExample = `event: progress\ndata: ${JSON.stringify(progressExample)}\n\n`;
