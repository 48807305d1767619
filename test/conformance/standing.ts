// standing.ts -- Where the processes of a story stand: what each is about to send, compared with where the model says that it is.

import type { State } from '../model/state.ts';
import { auditWaits } from './drives/audit-steps.ts';
import { editorWaits } from './drives/operator-steps.ts';
import { openerWaits } from './drives/opening-steps.ts';
import type { RealWorld, Running } from './real-world.ts';
import { workerWaits } from './drives/worker-steps.ts';

const closerWaits: Readonly<Record<number, string>> = { 1: 'close', 2: 'xrange', 3: 'begin' };

/** In what processes differ from the model, in words. */
export function misplaced(world: RealWorld, s: State): readonly string[] {
  const found: string[] = [];
  const compare = (who: string, running: Running | null, expected: readonly (string | undefined)[]): void => {
    const about = running?.process.ended === null ? (running.gate.names[0] ?? 'nothing') : 'nothing';
    if (!expected.includes(about))
      found.push(`${who} is about to send ${about}, and the model says ${expected.join(' or ')}`);
  };
  for (const [p, { at }] of s.openers.entries())
    compare(`opener ${p + 1}`, world.openers[p] ?? null, [at === 0 ? 'nothing' : openerWaits[at]]);
  for (const [w, { at }] of s.workers.entries())
    compare(`worker ${w + 1}`, world.workers[w] ?? null, [at === 0 ? 'nothing' : workerWaits[at]]);
  compare('the editor', world.editor, s.editor.at === 0 ? ['nothing'] : (editorWaits[s.editor.at] ?? []));
  compare('closing', world.closer, [s.closer.at === 0 ? 'nothing' : closerWaits[s.closer.at]]);
  const auditAt = s.audits[0]?.at ?? 0;
  compare('the audit', world.audit, [auditAt === 0 ? 'nothing' : auditWaits[auditAt]]);
  compare('locked', world.locked, [s.locked.at === 0 ? 'nothing' : 'put']);
  const hasReserved = s.users.some(({ reserved }) => reserved > 0);
  const { at, forget } = s.synchronous;
  const isWriting = at === 1 && hasReserved;
  compare('synchronous', world.synchronous, [isWriting ? 'begin' : at === 2 && forget === 1 ? 'unlink' : 'nothing']);
  return found;
}
