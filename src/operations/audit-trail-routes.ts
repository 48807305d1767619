// audit-trail-routes.ts -- The audit trail for operators: who changed what, when and from where. It is read here, and never changed.

import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import type { TrailEntry, TrailFilter } from '../auth/audit-trail.ts';
import { type Authority, operatorsWith } from '../auth/authority.ts';
import { CouponId } from '../coupon/ids.ts';
import { formatInstant } from '../http/instant.ts';
import { cutPage, pageParameters } from '../http/pagination.ts';
import { route } from '../http/route.ts';

export interface AuditTrailDependencies {
  readonly authority: Pick<Authority, 'guard'>;
  readonly listTrail: (filter: TrailFilter) => Promise<readonly TrailEntry[]>;
}

const EntryId = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
const textOrNull = (description: string) => Type.Union([Type.String(), Type.Null()], { description });
const facts = (description: string) =>
  Type.Union(
    [Type.Unsafe<Readonly<Record<string, unknown>>>(Type.Object({}, { additionalProperties: true })), Type.Null()],
    { description },
  );

const AuditTrailAnswer = Type.Object({
  id: EntryId,
  date: Type.String({ format: 'date-time', description: 'when' }),
  action: Type.String({ description: 'the action, such as `coupon.edit`' }),
  couponId: Type.Union([CouponId, Type.Null()], { description: 'null for what is of no coupon' }),
  keyId: Type.Union([EntryId, Type.Null()], {
    description: 'id of the API key that did it; null for ADMIN_API_KEY and commands',
  }),
  actor: Type.String({ description: 'name of that key, `ADMIN_API_KEY`, or a command such as `command:keys`' }),
  address: textOrNull('where the request came from, an IPv6 address as its network; null for commands'),
  from: facts('the values before the change; null if there were none'),
  to: facts('the values after the change; null if there are none'),
});

const AuditTrailPage = Type.Object(
  {
    entries: Type.Array(AuditTrailAnswer, { description: 'the newest first' }),
    next: Type.Union([EntryId, Type.Null()], { description: '`after` of the next page; null on the last' }),
  },
  { $id: 'AuditTrailPage' },
);

const example: Static<typeof AuditTrailAnswer> = {
  id: 7,
  date: '2026-11-22T08:31:00.000Z',
  action: 'coupon.edit',
  couponId: 1,
  keyId: 3,
  actor: 'shop console',
  address: '203.0.113.7',
  from: { paused: false, version: 1 },
  to: { paused: true, version: 2 },
};

const key = Type.String({
  pattern: '^([1-9][0-9]{0,14}|[A-Za-z][A-Za-z0-9_:-]{0,99})$',
  description: 'id of an API key; or the name of an actor without one: ADMIN_API_KEY, command:keys',
});

/** A parameter that may be left out, which is null. */
const optional = <Value>(read: (text: string) => Value | undefined) => ({
  read: (text: string | null) => (text === null ? null : read(text)),
});

/** `GET /v1/audit-trail`. */
export function auditTrailRoute({ authority, listTrail }: AuditTrailDependencies) {
  return route(
    'GET',
    '/v1/audit-trail',
    {
      operationId: 'listAuditTrail',
      tag: 'operators',
      summary: 'Read the audit trail',
      description: `Every change by an operator through this API or a command, newest first. Changes in Redis are recorded before they are made,
so such an entry may describe a change that then failed.`,
      access: operatorsWith(authority, 'read'),
      query: {
        ...pageParameters,
        after: {
          schema: {
            ...pageParameters.after.schema,
            description: 'id of an entry: only older ones are listed; 0: from the newest',
          },
          example: 0,
        },
        couponId: {
          schema: CouponId,
          ...optional((text) =>
            /^[1-9]\d{0,15}$/.test(text) && Value.Check(CouponId, Number(text)) ? Number(text) : undefined,
          ),
          example: 1,
        },
        key: {
          schema: key,
          ...optional((text) => (Value.Check(key, text) ? text : undefined)),
          example: 'ADMIN_API_KEY',
        },
      },
      answers: { 200: { description: 'A page.', schema: AuditTrailPage, example: { entries: [example], next: null } } },
      problems: ['FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ query }) => {
      const found = await listTrail({ ...query, limit: query.limit + 1 });
      const { items, next } = cutPage(found, query, ({ id }) => id);
      return { body: { entries: items.map(toAnswer), next } };
    },
  );
}

function toAnswer({ atMs, name, ...entry }: TrailEntry): Static<typeof AuditTrailAnswer> {
  return { ...entry, date: formatInstant(atMs), actor: name };
}
