// liveness.tsx -- Whether what the page shows is of now: a badge, how old the newest figures are, and whether the server is ready.

import type { Drop } from './use-drop.ts';
import { isFresh, livenessOf, type Sample } from './samples.ts';
import { say } from '../say.ts';

export function Liveness({ drop }: { readonly drop: Drop }) {
  const { progress, load, nowMs } = drop;
  const name = livenessOf(drop);
  const oldestMs = Math.min(progress?.atMs ?? 0, load?.atMs ?? 0);
  return (
    <>
      <span class={classOf[name]} role="status">
        {say(name)}
      </span>
      {name === 'notLive' && oldestMs > 0 && (
        <span class="hint">{say('noDataFor', { age: ageOf(nowMs - oldestMs) })}</span>
      )}
      <Ready drop={drop} />
    </>
  );
}

const classOf = { live: 'pulse', connecting: 'hint', notLive: 'badge bad' } as const;

function Ready({ drop: { readiness, nowMs } }: { readonly drop: Drop }) {
  // It is asked for every five seconds.
  if (readiness === null || nowMs - readiness.atMs > 8000) return <span class="hint">{say('readinessUnknown')}</span>;
  const { ready, checks } = readiness.value;
  if (ready) return <span class="hint">{say('ready')}</span>;
  const names = checks.filter(({ ok }) => !ok).map(({ name }) => name);
  return (
    <span class="badge bad" title={checks.map(({ name, detail }) => `${name}: ${detail}`).join('; ')}>
      {say('notReady', { names: names.join(', ') })}
    </span>
  );
}

/** How old a figure is; nothing where there is none. */
export function Age({ of, nowMs }: { readonly of: Sample<unknown> | null; readonly nowMs: number }) {
  if (of === null) return null;
  return (
    <span class={isFresh(of, nowMs) ? 'hint age' : 'hint age old'}>{say('ago', { age: ageOf(nowMs - of.atMs) })}</span>
  );
}

function ageOf(ms: number): string {
  return say('seconds', { value: Math.max(0, Math.round(ms / 1000)) });
}
