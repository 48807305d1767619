// change-histories.ts -- What a history of changes of one issue may be: a table of states that shares nothing with the product, and a search for
// an order of the changes, each between its start and its answer, that leads to all answers and to the row in the end.

import type { IssueChange } from '../src/issues/changes.ts';

const by = { keyId: null, name: 'a test', address: null };

/** Changes by short names. */
export const changes = {
  'use A': { kind: 'use', reference: 'A' },
  'use B': { kind: 'use', reference: 'B' },
  use: { kind: 'use', reference: null },
  'undo A': { kind: 'undo use', reference: 'A', by },
  undo: { kind: 'undo use', reference: null, by },
  revoke: { kind: 'revoke', reason: 'of a test', by },
} as const satisfies Record<string, IssueChange>;

export type Change = keyof typeof changes;
export type State = 'issued' | 'used A' | 'used B' | 'used' | 'revoked';

/** What each change answers and leaves, in each state. */
export const table: Readonly<Record<State, Readonly<Record<Change, readonly [answer: string, State]>>>> = {
  issued: {
    'use A': ['done', 'used A'],
    'use B': ['done', 'used B'],
    use: ['done', 'used'],
    'undo A': ['not used', 'issued'],
    undo: ['not used', 'issued'],
    revoke: ['done', 'revoked'],
  },
  'used A': {
    'use A': ['done', 'used A'],
    'use B': ['already used', 'used A'],
    use: ['already used', 'used A'],
    'undo A': ['done', 'issued'],
    undo: ['already used', 'used A'],
    revoke: ['already used', 'used A'],
  },
  'used B': {
    'use A': ['already used', 'used B'],
    'use B': ['done', 'used B'],
    use: ['already used', 'used B'],
    'undo A': ['already used', 'used B'],
    undo: ['already used', 'used B'],
    revoke: ['already used', 'used B'],
  },
  used: {
    'use A': ['already used', 'used'],
    'use B': ['already used', 'used'],
    use: ['already used', 'used'],
    'undo A': ['already used', 'used'],
    undo: ['done', 'issued'],
    revoke: ['already used', 'used'],
  },
  revoked: {
    'use A': ['revoked', 'revoked'],
    'use B': ['revoked', 'revoked'],
    use: ['revoked', 'revoked'],
    'undo A': ['revoked', 'revoked'],
    undo: ['revoked', 'revoked'],
    revoke: ['revoked', 'revoked'],
  },
};

/** One change that was sent; without an answer it may be made at any time later, or never. */
export interface Sent {
  readonly change: Change;
  readonly answer: string | null;
}

/** What receivers of webhooks are sent of a change that left another state than it found. */
export type ChangeEvent = 'issue.used' | 'issue.use_undone' | 'issue.revoked';

function eventOf(change: Change): ChangeEvent {
  const { kind } = changes[change];
  if (kind === 'use') return 'issue.used';
  return kind === 'revoke' ? 'issue.revoked' : 'issue.use_undone';
}

/**
 * Whether there is an order.
 *
 * @param phases changes that were sent at the same time, each phase after the answers of the one before
 */
export function isExplained(start: State, phases: readonly (readonly Sent[])[], end: State): boolean {
  return !explanations(start, phases, end).next().done;
}

/** Every order that explains a history, as the events of its changes. */
export function explanations(
  start: State,
  phases: readonly (readonly Sent[])[],
  end: State,
): Generator<readonly ChangeEvent[]> {
  return search(start, { answered: [], open: [], phases, events: [] }, end);
}

interface Left {
  /** Of the present phase. */
  readonly answered: readonly Sent[];
  /** Without an answer, of this phase and those before. */
  readonly open: readonly Sent[];
  readonly phases: readonly (readonly Sent[])[];
  /** Of the changes so far. */
  readonly events: readonly ChangeEvent[];
}

function* search(state: State, left: Left, end: State): Generator<readonly ChangeEvent[]> {
  const { answered, open, phases, events } = left;
  const [next, ...later] = phases;
  if (answered.length === 0) {
    if (next === undefined && state === end) yield events;
    if (next !== undefined) {
      const [known, unknown] = [next.filter((one) => one.answer !== null), next.filter((one) => one.answer === null)];
      yield* search(state, { ...left, answered: known, open: [...open, ...unknown], phases: later }, end);
    }
  }
  const take = ({ change }: Sent, rest: Partial<Left>) => {
    const after = table[state][change][1];
    return search(after, { ...left, ...rest, events: after === state ? events : [...events, eventOf(change)] }, end);
  };
  for (const [i, one] of answered.entries())
    if (one.answer === table[state][one.change][0]) yield* take(one, { answered: answered.toSpliced(i, 1) });
  for (const [i, one] of open.entries()) yield* take(one, { open: open.toSpliced(i, 1) });
}

/** The state of a row. Throws for one that no change leaves. */
export function stateOf({ dateUsed, reference, dateRevoked }: StoredIssue): State {
  if (dateRevoked !== null && dateUsed === null && reference === null) return 'revoked';
  if (dateRevoked === null && dateUsed === null && reference === null) return 'issued';
  const used = reference === null ? 'used' : `used ${reference}`;
  if (dateRevoked === null && dateUsed !== null && used in table) return used as State;
  throw new Error(`a row was used ${String(dateUsed)} for ${reference} and revoked ${String(dateRevoked)}`);
}

interface StoredIssue {
  readonly dateUsed: Date | null;
  readonly reference: string | null;
  readonly dateRevoked: Date | null;
}
