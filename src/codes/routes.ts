// routes.ts -- The operators' routes of codes: what codes a coupon has, a pattern for generated ones, and the upload of others.

import { type Static, Type } from '@sinclair/typebox';
import { type Authority, operatorOf, operatorsWith } from '../auth/authority.ts';
import { CouponId, couponIdParameter } from '../coupon/ids.ts';
import { invalid, problem } from '../http/problem.ts';
import { route } from '../http/route.ts';
import type { Codes, CodeSource } from './codes.ts';
import { CODE_PATTERN, parsePattern } from './pattern.ts';
import { readUpload, UPLOAD_BYTES_MAX, UPLOAD_CODES_MAX, UPLOADED_CODE, UPLOADED_CODE_TEXT } from './upload.ts';

export interface CodesDependencies {
  readonly config: { readonly BODY_BYTES_MAX: number };
  readonly authority: Pick<Authority, 'guard'>;
  readonly codes: Codes;
}

const CouponCodes = Type.Object(
  {
    couponId: CouponId,
    kind: Type.String({ enum: ['NONE', 'GENERATED', 'IMPORTED'], description: 'where its codes come from' }),
    pattern: Type.Union([Type.String(), Type.Null()], { description: 'with `GENERATED`: the pattern' }),
    codes: Type.Union([Type.Integer({ minimum: 1 }), Type.Null()], {
      description: 'with `IMPORTED`: how many; the first one is that of sequence 1',
    }),
  },
  { $id: 'CouponCodes' },
);

const pattern = Type.String({
  pattern: CODE_PATTERN,
  description:
    'such as SUMMER-####-####: 1 to 16 letters A to Z, digits and hyphens, of which the first is no hyphen, then 6 to 16 # with hyphens between',
});
const CodePattern = Type.Object({ pattern }, { $id: 'CodePattern', additionalProperties: false });

const CodeList = Type.Array(Type.String({ pattern: UPLOADED_CODE, description: `a code: ${UPLOADED_CODE_TEXT}` }), {
  $id: 'CodeList',
  minItems: 1,
  maxItems: UPLOAD_CODES_MAX,
});

/** `/v1/coupons/:couponId/codes` and what is below it. */
export function codesRoutes(dependencies: CodesDependencies) {
  return [readRoute(dependencies), generateRoute(dependencies), importRoute(dependencies)] as const;
}

const params = { couponId: couponIdParameter };
const kinds = { none: 'NONE', generated: 'GENERATED', imported: 'IMPORTED' } as const;

function toAnswer(couponId: number, source: CodeSource): Static<typeof CouponCodes> {
  return {
    couponId,
    kind: kinds[source.kind],
    pattern: source.kind === 'generated' ? source.pattern : null,
    codes: source.kind === 'imported' ? source.codes : null,
  };
}

const answerOf = (description: string, source: CodeSource) => ({
  200: { description, schema: CouponCodes, example: toAnswer(1, source) },
});

function readRoute({ authority, codes }: CodesDependencies) {
  return route(
    'GET',
    '/v1/coupons/:couponId/codes',
    {
      operationId: 'readCouponCodes',
      tag: 'operators',
      summary: 'Read the codes of a coupon',
      description: 'Where its codes come from. The code of one issue is in its status.',
      access: operatorsWith(authority, 'read'),
      params,
      answers: answerOf('Its codes.', { kind: 'generated', pattern: 'SUMMER-####-####' }),
      problems: ['COUPON_NOT_EXIST', 'FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ params: { couponId } }) => {
      const source = await codes.read(couponId);
      return source ? { body: toAnswer(couponId, source) } : problem('COUPON_NOT_EXIST');
    },
  );
}

const refusals = {
  'not exist': 'COUPON_NOT_EXIST',
  archived: 'COUPON_ARCHIVED',
  'has codes': 'COUPON_HAS_CODES',
  taken: 'CODES_TAKEN',
  'too few': 'COUPON_TOTAL_ABOVE_CODES',
} as const;

function generateRoute({ authority, codes, config }: CodesDependencies) {
  return route(
    'POST',
    '/v1/coupons/:couponId/codes',
    {
      operationId: 'generateCodes',
      tag: 'operators',
      summary: 'Give a coupon generated codes',
      description: `Each issue then has a code of this pattern. Each \`#\` is a letter or digit; the last one is a check character. The
pattern cannot be changed, and no other coupon may have codes of the same length with the same prefix. There must be ten thousand codes per
piece, so that codes cannot be guessed; an unlimited coupon counts as a hundred million pieces. Sending the same pattern again changes nothing.`,
      access: operatorsWith(authority, 'admin'),
      params,
      body: {
        schema: CodePattern,
        bytesMax: config.BODY_BYTES_MAX,
        examples: { pattern: { summary: 'A pattern', value: { pattern: 'SUMMER-####-####' } } },
      },
      answers: answerOf('Its codes.', { kind: 'generated', pattern: 'SUMMER-####-####' }),
      problems: [
        'COUPON_NOT_EXIST',
        'COUPON_HAS_CODES',
        'CODES_TAKEN',
        'COUPON_TOTAL_ABOVE_CODES',
        'COUPON_ARCHIVED',
        'FAIL_COUPON_ISSUE_REQUEST',
      ],
    },
    async ({ request, params: { couponId }, body }) => {
      const parsed = parsePattern(body.pattern);
      if (!parsed) return invalid([{ in: 'body', pointer: '/pattern', expected: pattern.description ?? '' }]);
      const { kind } = await codes.generate(couponId, parsed, operatorOf(request));
      if (kind !== 'generated') return problem(refusals[kind]);
      return { body: toAnswer(couponId, { kind, pattern: parsed.text }) };
    },
  );
}

function importRoute({ authority, codes }: CodesDependencies) {
  return route(
    'POST',
    '/v1/coupons/:couponId/codes/import',
    {
      operationId: 'importCodes',
      tag: 'operators',
      summary: 'Upload codes of a coupon',
      description: `Up to ${UPLOAD_CODES_MAX} codes, one per line or as a JSON array. All or none of them are appended to the codes of the coupon: the
first code of a coupon belongs to sequence 1, and so on. \`INVALID_REQUEST\` lists up to 100 lines with an invalid or duplicate
code. Empty lines are skipped, but counted. The total of the coupon may not exceed its number of codes. Uploads are not idempotent:
if the answer was lost, read the number of codes before you retry.`,
      access: operatorsWith(authority, 'admin'),
      params,
      upload: {
        'application/json': {
          schema: CodeList,
          examples: { codes: { summary: 'Two codes', value: ['AUTUMN-1F3K', 'AUTUMN-9Q2M'] } },
        },
        'text/csv': {
          schema: Type.String(),
          examples: { codes: { summary: 'Two codes', value: 'code\nAUTUMN-1F3K\nAUTUMN-9Q2M\n' } },
        },
      },
      answers: answerOf('The codes that the coupon has now.', { kind: 'imported', codes: 2 }),
      problems: [
        'COUPON_NOT_EXIST',
        'COUPON_HAS_CODES',
        'COUPON_TOTAL_ABOVE_CODES',
        'COUPON_ARCHIVED',
        'FAIL_COUPON_ISSUE_REQUEST',
      ],
    },
    async ({ request, params: { couponId } }) => {
      const pieces = piecesOf(request);
      if (pieces instanceof Response) return pieces;
      const done = await codes.import(couponId, pieces, operatorOf(request));
      switch (done.kind) {
        case 'imported':
          return { body: toAnswer(couponId, done) };
        case 'faulty':
          return invalid(done.faults);
        case 'unreadable':
          return problem(
            done.fault.kind === 'malformed' ? 'MALFORMED_REQUEST' : 'PAYLOAD_TOO_LARGE',
            done.fault.message,
          );
        case 'not exist':
        case 'archived':
        case 'has codes':
        case 'too few':
          return problem(refusals[done.kind]);
      }
    },
  );
}

/** The codes of a request, or why they are not read. */
function piecesOf({ headers, body }: Request) {
  const [, type] = /^(text\/csv|application\/json)[ \t]*(?:;.*)?$/i.exec(headers.get('content-type') ?? '') ?? [];
  const isEncoded = (headers.get('content-encoding') ?? 'identity').toLowerCase() !== 'identity';
  if (type === undefined || isEncoded)
    return problem('UNSUPPORTED_MEDIA_TYPE', 'Codes must be sent as `text/csv` or `application/json`, not compressed.');
  if (Number(headers.get('content-length') ?? 0) > UPLOAD_BYTES_MAX)
    return problem('PAYLOAD_TOO_LARGE', `The body is larger than ${UPLOAD_BYTES_MAX} bytes.`);
  if (body === null) return problem('MALFORMED_REQUEST', 'The body is empty.');
  return readUpload(body as AsyncIterable<Uint8Array>, type.toLowerCase() === 'text/csv' ? 'csv' : 'json');
}
