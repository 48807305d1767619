// operator-steps.ts -- Operators and the reconciler of a story: edits, closing, dead letters, and what is repaired after a loss.

import { auditCoupon } from '../../../src/operations/audit.ts';
import { createDeadLetters } from '../../../src/operations/dead-letters.ts';
import { closeCoupon } from '../../../src/stock/closing.ts';
import { createCouponEditor } from '../../../src/stock/editing.ts';
import { moveHomeBack, restoreLost } from '../../../src/stock/restoring.ts';
import { END_PROLONGED } from '../../model/state.ts';
import { endEditorsTransaction } from './fault-steps.ts';
import { userName } from '../picture.ts';
import { msAt, type Parts, type RealWorld } from '../real-world.ts';
import type { Drive } from '../steps.ts';

const isIn = (names: readonly string[], name: string): boolean => names.includes(name);

/** What an editor is about to send, by where the model says that it stands. */
export const editorWaits: Readonly<Record<number, readonly string[]>> = {
  1: ['lower-total', 'apply-edit', 'remove-unissued'],
  2: ['update', 'delete'],
  3: ['apply-edit', 'open'],
};

/** What an editor may go on with that the model takes for another one: its next try, or the repair after a failure. */
const ANEW = ['begin', 'open', 'apply-edit'];

function editorOf(world: RealWorld, { gate, redisStock, database }: Parts) {
  // An opener of the story opens the coupon; here it is waited for.
  const stock = { open: () => gate.ask('open', () => Promise.resolve('open' as const)) };
  const ignore = (): void => {};
  return createCouponEditor({ redisStock, database, stock, announce: () => Promise.resolve(), onFault: ignore });
}

type Edit = (
  editor: ReturnType<typeof editorOf>,
  id: number,
  sql: { total: number; paused: number; version: number },
) => Promise<unknown>;

const edits: Readonly<Record<string, Edit>> = {
  raise: (editor, id, { total }) => editor.edit(id, { totalQuantity: total + 1 }, null),
  lower: (editor, id, { total }) => editor.edit(id, { totalQuantity: total - 1 }, null),
  pause: (editor, id, { paused }) => editor.edit(id, { paused: paused === 0 }, null),
  prolong: (editor, id) => editor.edit(id, { endMs: msAt(END_PROLONGED) }, null),
  repair: (editor, id) => editor.repair(id),
  remove: (editor, id) => editor.remove(id, null),
  terms: (editor, id, { version }) => editor.edit(id, { discountAmount: 2000 + version }, null),
};

const beginEdit =
  (edit: Edit): Drive =>
  async (world, step) => {
    world.editor = await world.start((parts) => edit(editorOf(world, parts), world.couponId, step.before.sql));
    await world.editor.process.advance({ until: editorWaits[1] ?? [] });
    endEdit(world, step);
  };

const goOn =
  (after: string | undefined, ...until: readonly string[]): Drive =>
  async (world, step) => {
    await world.editor?.process.advance({ until, ...(after !== undefined && { after }) });
    endEdit(world, step);
  };

function endEdit(world: RealWorld, { after }: Parameters<Drive>[1]): void {
  if (after.editor.at > 0) return;
  const command = world.editor?.process.kill();
  world.editor = null;
  if (command && !isIn(ANEW, command.name)) throw new Error(`the editor goes on with ${command.name}`);
}

/** The half of an edit in Redis, by its script. */
const halfInRedis: Drive = async (world, step) => {
  const [script = ''] = world.editor?.gate.names ?? [];
  const until =
    script === 'remove-unissued' ? ['delete', 'update', 'open', 'begin'] : ['update', 'open', 'begin', 'apply-edit'];
  const isLower = script === 'lower-total';
  // Lowering may bring the former edit to Redis first, and try again.
  await world.editor?.process.advance({ until: isLower ? ['update', 'open', 'begin'] : until });
  endEdit(world, step);
};

const editing: Readonly<Record<string, Drive>> = {
  ...Object.fromEntries(Object.entries(edits).map(([kind, edit]) => [`an edit begins: ${kind}`, beginEdit(edit)])),
  'the editor does its half in Redis': halfInRedis,
  'the editor commits': goOn(undefined, 'apply-edit', 'open', 'begin'),
  'the editor brings its version to Redis': goOn('apply-edit', 'open', 'begin'),
  'MySQL ends the transaction of the editor': endEditorsTransaction,
  'the editor dies': async (world) => {
    world.editor?.process.kill();
    world.editor = null;
  },
  'the editor dies, and its last command is on its way': async (world) => {
    if (isIn(world.editor?.gate.names ?? [], 'open')) await world.editor?.process.advance({ until: ['apply-edit'] });
    world.late = world.editor?.process.kill()?.carryOut ?? null;
    world.editor = null;
  },
  'a late command of the editor that died arrives': async (world) => {
    await world.late?.();
    world.late = null;
  },
};

const goClosing =
  (...until: readonly string[]): Drive =>
  async (world, { after }) => {
    await world.closer?.process.advance({ until });
    if (after.closer.at > 0) return;
    if (world.closer?.process.ended === null) throw new Error(`closing goes on with ${world.closer.gate.names.join()}`);
    world.closer = null;
  };

const closing: Readonly<Record<string, Drive>> = {
  'closing: the coupon is long over': async (world, step) => {
    const { epoch } = step.before.sql;
    world.closer = await world.start((parts) => closeCoupon(parts, world.couponId, epoch));
    await goClosing('close')(world, step);
  },
  'closing: frees Redis': goClosing('xrange'),
  'closing: looks for entries': goClosing('begin'),
  'closing: makes MySQL the home': goClosing(),
  'closing: dies': async (world) => {
    world.closer?.process.kill();
    world.closer = null;
  },
};

async function letterOf(world: RealWorld, who: number, deal: (letters: Letters, id: string) => Promise<unknown>) {
  await world.runAll(async ({ redisStock }) => {
    const letters = createDeadLetters(redisStock);
    for await (const { id, entry } of letters.list()) {
      if (entry?.users.includes(userName(who - 1))) return deal(letters, id);
    }
    throw new Error(`${userName(who - 1)} is in no dead letter`);
  });
}
type Letters = ReturnType<typeof createDeadLetters>;

const reconciling: Readonly<Record<string, Drive>> = {
  'a dead letter is replayed: that of user': (world, { who }) =>
    letterOf(world, who, (letters, id) => letters.replay(id)),
  'a dead letter is discarded: that of user': (world, { who }) =>
    letterOf(world, who, (letters, id) => letters.discard(id)),
  'the reconciler drops a state that does not know all issues': (world, { before }) =>
    world.runAll(async (parts) => {
      const audit = await auditCoupon(parts, world.couponId);
      if (!audit || audit.unknown === 0) throw new Error('the audit finds no unknown issue');
      await parts.redisStock.drop(world.couponId);
    }, before.server),
  'the reconciler makes Redis the home again': (world) =>
    world.runAll(async (parts) => {
      if (!(await moveHomeBack(parts, world.couponId))) throw new Error('Redis is not made the home');
    }),
  'the reconciler offers again what MySQL lost': (world, { before }) =>
    world.runAll(async (parts) => {
      if ((await restoreLost(parts, world.couponId)) === 0) throw new Error('nothing is offered');
    }, before.server),
};

export const operatorSteps: Readonly<Record<string, Drive>> = { ...editing, ...closing, ...reconciling };
