// codes.test.ts -- Codes of coupons on real stores: shown with rows alone, found again, used once, never exceeded by a total.

import { afterAll, describe, expect, test } from 'bun:test';
import { eq } from 'drizzle-orm';
import { codeImports, codePatterns, importedCodes } from '../../drizzle/schema.ts';
import { commandActor, listTrail } from '../../src/auth/audit-trail.ts';
import { removeAbandoned } from '../../src/codes/abandoned.ts';
import { type Pattern, parsePattern } from '../../src/codes/pattern.ts';
import { readUpload } from '../../src/codes/upload.ts';
import { invariant } from '../../src/invariant.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { openStores } from '../stores.ts';

const stores = await openStores();
const api = await stores.createApi({ USE_WAIT_MS: 200 });
afterAll(() => stores.close());

const { codes } = api;
const BY = commandActor('test');
let made = 0;
/** Beginnings and codes that no other test has. */
const unique = () =>
  `T${String((made += 1))
    .padStart(3, '0')
    .replaceAll('0', 'X')
    .replaceAll('1', 'Y')}`;

function patternOf(text: string): Pattern {
  const pattern = parsePattern(text);
  invariant(pattern, 'not a pattern');
  return pattern;
}

/** An upload in pieces, as they come over a network. */
async function* piecesOf(text: string, size = 1000) {
  const bytes = new TextEncoder().encode(text);
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}

const upload = (couponId: number, lines: readonly string[], size?: number) =>
  codes.import(couponId, readUpload(piecesOf(lines.map((line) => `${line}\n`).join(''), size), 'csv'), BY);

const numbered = (beginning: string, count: number) =>
  Array.from({ length: count }, (_, i) => `${beginning}-${String(i + 1).padStart(6, '0')}`);

async function rowsOf(couponId: number) {
  return withConnection(stores.database, async (session) => ({
    imports: await session.select().from(codeImports).where(eq(codeImports.couponId, couponId)),
    rows: await session.$count(importedCodes, eq(importedCodes.couponId, couponId)),
  }));
}

describe('generated codes', () => {
  test('an issue has its code once it is a row, the code leads back to it, and it is used once', async () => {
    const { id } = await stores.coupon();
    expect(await codes.read(id)).toEqual({ kind: 'none' });
    const pattern = patternOf(`${unique()}-####-####`);
    expect(await codes.generate(id, pattern, BY)).toEqual({ kind: 'generated' });
    expect(await codes.generate(id, pattern, BY)).toEqual({ kind: 'generated' });
    expect(await codes.generate(id, patternOf(`${unique()}-####-####`), BY)).toEqual({ kind: 'has codes' });
    expect(await codes.read(id)).toEqual({ kind: 'generated', pattern: pattern.text });
    for (const user of ['a', 'b']) await api.issuance.issue('synchronous', id, user);
    const [first, second] = await codes.codesOf([
      { couponId: id, sequence: 1 },
      { couponId: id, sequence: 2 },
    ]);
    expect(first).toMatch(new RegExp(`^${pattern.text.replaceAll('#', '[2-9A-Z]')}$`));
    expect(await codes.issueOf(second ?? '')).toEqual({ couponId: id, sequence: 2 });
    expect(await codes.issueOf((second ?? '').toLowerCase().replaceAll('-', ''))).toEqual({
      couponId: id,
      sequence: 2,
    });
    expect(await api.feed.at(id, 2)).toMatchObject({ userId: 'b', usedMs: null });
    expect(await api.feed.at(id, 3)).toBe(null);
    expect(await codes.issueOf('NOTHING-OF-THAT-KIND')).toBe(null);
  });

  test('the key is in no audit trail, and two coupons have other codes', async () => {
    const [one, two] = [await stores.coupon(), await stores.coupon()];
    const [a, b] = [unique(), unique()];
    await codes.generate(one.id, patternOf(`${a}-########`), BY);
    await codes.generate(two.id, patternOf(`${b}-########`), BY);
    const of = async (couponId: number) => (await codes.codesOf([{ couponId, sequence: 1 }]))[0]?.split('-')[1];
    expect(await of(one.id)).not.toBe(await of(two.id));
    const trail = await listTrail(stores.database, { after: 0, limit: 9, couponId: one.id, key: null });
    expect(trail.map(({ action, to }) => ({ action, to }))).toEqual([
      { action: 'codes.generate', to: { pattern: `${a}-########` } },
    ]);
  });

  test('no two coupons have codes that could be taken for one another', async () => {
    const [one, two] = [await stores.coupon(), await stores.coupon()];
    const beginning = unique();
    expect(await codes.generate(one.id, patternOf(`${beginning}-########`), BY)).toEqual({ kind: 'generated' });
    // The same, with other hyphens; one that begins with it; one with which it begins; all of the same length.
    for (const text of [`${beginning}########`, `${beginning}A#######`, `${beginning.slice(0, 3)}#########`])
      expect(await codes.generate(two.id, patternOf(text), BY)).toEqual({ kind: 'taken' });
    const longer = patternOf(`${beginning}-#########`);
    expect(await codes.generate(two.id, longer, BY)).toEqual({ kind: 'generated' });
    // At the same time at most one of them.
    const pair = [await stores.coupon(), await stores.coupon()];
    const same = patternOf(`${unique()}-########`);
    const kinds = await Promise.all(pair.map(({ id }) => codes.generate(id, same, BY)));
    expect(kinds.filter(({ kind }) => kind === 'generated').length).toBeLessThan(2);
    const kept = await withConnection(stores.database, (session) =>
      session.$count(codePatterns, eq(codePatterns.pattern, same.text)),
    );
    expect(kept).toBe(kinds.filter(({ kind }) => kind === 'generated').length);
  });

  test('there must be ten thousand codes for each piece, also when the total is raised', async () => {
    const { id } = await stores.coupon({ totalQuantity: 3000 });
    expect(await codes.generate(id, patternOf(`${unique()}-######`), BY)).toEqual({ kind: 'too few' });
    expect(await codes.generate(id, patternOf(`${unique()}-#######`), BY)).toEqual({ kind: 'generated' });
    expect(await api.editor.edit(id, { totalQuantity: 100_000 }, null)).toEqual({ kind: 'too few codes' });
    expect(await api.editor.edit(id, { totalQuantity: null }, null)).toEqual({ kind: 'too few codes' });
    expect(await api.editor.edit(id, { totalQuantity: 80_000, title: 'More' }, null)).toMatchObject({ kind: 'edited' });
  });
});

describe('imported codes', () => {
  test('code k belongs to sequence k, and more are added behind', async () => {
    const { id } = await stores.coupon({ totalQuantity: 3 });
    const lines = numbered(unique(), 5);
    expect(await upload(id, lines.slice(0, 3))).toEqual({ kind: 'imported', codes: 3 });
    expect(await upload(id, lines.slice(3), 7)).toEqual({ kind: 'imported', codes: 5 });
    expect(await codes.read(id)).toEqual({ kind: 'imported', codes: 5 });
    const asked = Array.from({ length: 6 }, (_, i) => ({ couponId: id, sequence: i + 1 }));
    expect(await codes.codesOf(asked)).toEqual([...lines, null]);
    expect(await codes.issueOf(lines[4] ?? '')).toEqual({ couponId: id, sequence: 5 });
    expect(await codes.generate(id, patternOf(`${unique()}-########`), BY)).toEqual({ kind: 'has codes' });
  });

  test('the total never exceeds the codes', async () => {
    const { id } = await stores.coupon({ totalQuantity: 3 });
    const lines = numbered(unique(), 4);
    expect(await upload(id, lines.slice(0, 2))).toEqual({ kind: 'too few', codes: 2 });
    expect(await rowsOf(id)).toEqual({ imports: [], rows: 0 });
    expect(await upload(id, lines)).toEqual({ kind: 'imported', codes: 4 });
    expect(await api.editor.edit(id, { totalQuantity: 5 }, null)).toEqual({ kind: 'too few codes' });
    expect(await api.editor.edit(id, { totalQuantity: null }, null)).toEqual({ kind: 'too few codes' });
    expect(await api.editor.edit(id, { totalQuantity: 4 }, null)).toMatchObject({ kind: 'edited' });
    const unlimited = await stores.coupon({ totalQuantity: null });
    expect(await upload(unlimited.id, numbered(unique(), 2))).toEqual({ kind: 'too few', codes: 2 });
  });

  test('a fault anywhere adds nothing, and each is named by its line', async () => {
    const { id } = await stores.coupon({ totalQuantity: 1 });
    const other = await stores.coupon({ totalQuantity: 1 });
    const [mine, theirs] = [numbered(unique(), 2500), numbered(unique(), 2)];
    await upload(other.id, theirs);
    await upload(id, numbered('OWN-CODE', 1));
    const generated = await stores.coupon();
    await codes.generate(generated.id, patternOf(`${unique()}-########`), BY);
    const [ofPattern] = await codes.codesOf([{ couponId: generated.id, sequence: 7 }]);
    const lines = mine
      .with(3, 'short')
      .with(4, mine[5] ?? '')
      .with(1200, mine[10] ?? '')
      .with(1300, theirs[1] ?? '')
      .with(1400, 'OWN-CODE-000001')
      .with(2400, ofPattern ?? '')
      .with(1500, '');
    const refused = await upload(id, lines);
    expect(refused).toMatchObject({ kind: 'faulty', faults: [4, 6, 1201, 1301, 1401, 2401].map((line) => ({ line })) });
    expect(refused.kind === 'faulty' && refused.faults.map(({ expected }) => expected.slice(0, 14))).toEqual([
      '6 to 64 letter',
      'a code that is',
      'a code that is',
      'a code of no o',
      'a code that is',
      'a code of no o',
    ]);
    expect(await rowsOf(id)).toMatchObject({ imports: [{ codes: 1 }], rows: 1 });
    expect(await upload(id, mine)).toEqual({ kind: 'imported', codes: 2501 });
  });

  test('faults are counted up to a hundred, and an upload without codes is one', async () => {
    const { id } = await stores.coupon({ totalQuantity: 1 });
    const refused = await upload(
      id,
      Array.from({ length: 5000 }, () => 'x'),
    );
    expect(refused.kind === 'faulty' && refused.faults.map(({ line }) => line)).toEqual(
      Array.from({ length: 100 }, (_, i) => i + 1),
    );
    expect(await upload(id, ['', 'code', ''])).toMatchObject({ kind: 'faulty', faults: [{ pointer: '' }] });
    expect(await rowsOf(id)).toEqual({ imports: [], rows: 0 });
  });

  test('an upload that breaks leaves nothing, and can be sent again immediately', async () => {
    const { id } = await stores.coupon({ totalQuantity: 1 });
    const lines = numbered(unique(), 3000);
    async function* breaking() {
      yield* piecesOf(lines.join('\n'), 30_000);
      throw new Error('the connection broke');
    }
    expect(await codes.import(id, readUpload(breaking(), 'csv'), BY)).toMatchObject({ kind: 'unreadable' });
    expect(await rowsOf(id)).toEqual({ imports: [], rows: 0 });
    expect(await upload(id, lines)).toEqual({ kind: 'imported', codes: 3000 });
  });

  test('of a process that was killed nothing is shown, and what it left is removed', async () => {
    const { id } = await stores.coupon({ totalQuantity: 1 });
    const lines = numbered(unique(), 2000);
    const stuck = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    async function* hanging() {
      yield* piecesOf(`${lines.join('\n')}\n`, 100_000);
      reached.resolve();
      await stuck.promise;
    }
    const hung = codes.import(id, readUpload(hanging(), 'csv'), BY);
    await reached.promise;
    expect(await rowsOf(id)).toMatchObject({ imports: [{ complete: false, codes: 2000 }], rows: 2000 });
    expect(await codes.read(id)).toEqual({ kind: 'none' });
    expect(await codes.codesOf([{ couponId: id, sequence: 1 }])).toEqual([null]);
    expect(await codes.issueOf(lines[0] ?? '')).toBe(null);
    // It may still go on, so nothing is removed yet; and the same codes can be uploaded meanwhile.
    await removeAbandoned(stores.database);
    expect(await rowsOf(id)).toMatchObject({ rows: 2000 });
    expect(await upload(id, lines)).toEqual({ kind: 'imported', codes: 2000 });
    await withConnection(stores.database, (session) =>
      session
        .update(codeImports)
        .set({ dateTouched: new Date(Date.now() - 100_000) })
        .where(eq(codeImports.complete, false)),
    );
    await removeAbandoned(stores.database);
    expect(await rowsOf(id)).toMatchObject({ imports: [{ complete: true }], rows: 2000 });
    // Whoever was not dead after all adds nothing.
    stuck.resolve();
    expect(await hung).toMatchObject({ kind: 'has codes' });
    expect(await rowsOf(id)).toMatchObject({ imports: [{ complete: true }], rows: 2000 });
  });

  test('an upload that stood still for too long adds nothing, whatever of it is left', async () => {
    const { id } = await stores.coupon({ totalQuantity: 1 });
    const lines = numbered(unique(), 3000);
    async function* slow() {
      yield* piecesOf(
        lines
          .slice(0, 2000)
          .map((line) => `${line}\n`)
          .join(''),
      );
      await withConnection(stores.database, (session) =>
        session
          .update(codeImports)
          .set({ dateTouched: new Date(Date.now() - 100_000) })
          .where(eq(codeImports.couponId, id)),
      );
      await removeAbandoned(stores.database);
      yield* piecesOf(lines.slice(2000).join('\n'));
    }
    expect(await codes.import(id, readUpload(slow(), 'csv'), BY)).toMatchObject({
      kind: 'unreadable',
      fault: { message: 'The upload stood still for too long.' },
    });
    expect(await rowsOf(id)).toEqual({ imports: [], rows: 0 });
    expect(await codes.read(id)).toEqual({ kind: 'none' });
  });

  test('of uploads to one coupon at the same time one succeeds; one code goes to at most one of two coupons', async () => {
    const { id } = await stores.coupon({ totalQuantity: 1 });
    const results = await Promise.all(Array.from({ length: 4 }, () => upload(id, numbered(unique(), 1500))));
    expect(results.map(({ kind }) => kind).sort()).toEqual(['has codes', 'has codes', 'has codes', 'imported']);
    expect(await rowsOf(id)).toMatchObject({ imports: [{ codes: 1500 }], rows: 1500 });
    const two = [await stores.coupon({ totalQuantity: 1 }), await stores.coupon({ totalQuantity: 1 })];
    const same = numbered(unique(), 1500);
    const both = await Promise.all(two.map((coupon) => upload(coupon.id, same)));
    expect(both.filter(({ kind }) => kind === 'imported').length).toBeLessThan(2);
  });

  test('a million codes are taken, and one more is not', async () => {
    const { id } = await stores.coupon({ totalQuantity: 1 });
    // Only the counting: not written to MySQL, which takes its time.
    const line = new TextEncoder().encode('SOME-CODE\n'.repeat(10_000));
    async function* lines(more: string) {
      for (let i = 0; i < 100; i += 1) yield line;
      yield new TextEncoder().encode(more);
    }
    let counted = 0;
    for await (const page of readUpload(lines(''), 'csv')) counted += page.length;
    expect(counted).toBe(1_000_000);
    const reading = (async () => {
      for await (const _ of readUpload(lines('ONE-MORE'), 'csv'));
    })();
    await expect(reading).rejects.toMatchObject({ name: 'UploadFault', kind: 'too large' });
    expect(await rowsOf(id)).toEqual({ imports: [], rows: 0 });
  });

  test('with its coupon, codes are deleted, and can be uploaded to another', async () => {
    const { id } = await stores.coupon({ totalQuantity: 1 });
    const lines = numbered(unique(), 1200);
    await upload(id, lines);
    expect(await api.editor.remove(id, null)).toEqual({ kind: 'removed' });
    expect(await codes.issueOf(lines[0] ?? '')).toBe(null);
    const other = await stores.coupon({ totalQuantity: 1 });
    expect(await upload(other.id, lines)).toEqual({ kind: 'imported', codes: 1200 });
    await removeAbandoned(stores.database);
    expect(await rowsOf(id)).toEqual({ imports: [], rows: 0 });
  });
});
