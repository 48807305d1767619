// loaded.tsx -- Something that is read from the API before it can be shown: waiting, failed with a way to try again, or there.

import { type ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { say, wordsOf } from './say.ts';

export interface LoadedProps<Value> {
  /** What tells one reading from another: a new one reads anew. */
  readonly name: string;
  read(): Promise<Value>;
  readonly children: (value: Value, readAgain: () => void) => ComponentChildren;
}

type State<Value> = { readonly name: string } & ({ readonly value: Value } | { readonly fault: string });

export function Loaded<Value>({ name, read, children }: LoadedProps<Value>) {
  const [round, setRound] = useState(0);
  const [state, setState] = useState<State<Value> | null>(null);
  useEffect(() => {
    let stale = false;
    read().then(
      (value) => stale || setState({ name, value }),
      (fault: unknown) => stale || setState({ name, fault: wordsOf(fault) }),
    );
    return () => {
      stale = true;
    };
  }, [name, round]);
  const readAgain = () => setRound((before) => before + 1);
  if (state?.name !== name) return <p class="hint">{say('loading')}</p>;
  if ('value' in state) return <>{children(state.value, readAgain)}</>;
  return (
    <div class="notice bad row" role="alert">
      <span>{state.fault}</span>
      <button type="button" onClick={readAgain}>
        {say('again')}
      </button>
    </div>
  );
}
