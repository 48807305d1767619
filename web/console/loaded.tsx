// loaded.tsx -- Something that is read from the API before it can be shown: loading, failed with a button to try again, or there.

import { type ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { CouponClient, Done, RequestResult } from '../../client/coupon-client.ts';
import { failureText, say } from './say.ts';
import { asOperator } from './session.ts';

export interface LoadedProps<Value> {
  /** Tells one reading from another: with another name it is read again. */
  readonly name: string;
  read(client: CouponClient): Promise<RequestResult<Value>>;
  /** `aheadMs`: how far the clock of the server is ahead of this one. */
  readonly children: (done: Done<Value>, readAgain: () => void, aheadMs: number) => ComponentChildren;
}

interface State<Value> {
  readonly name: string;
  readonly result: RequestResult<Value>;
  readonly aheadMs: number;
}

export function Loaded<Value>({ name, read, children }: LoadedProps<Value>) {
  const [round, setRound] = useState(0);
  const [state, setState] = useState<State<Value> | null>(null);
  useEffect(() => {
    let stale = false;
    void asOperator(read).then((result) => {
      if (stale) return;
      // Measured as the answer comes: later the clock of the answer stands still.
      const aheadMs = result.kind === 'done' && result.serverMs !== null ? result.serverMs - Date.now() : 0;
      setState({ name, result, aheadMs });
    });
    return () => {
      stale = true;
    };
  }, [name, round]);
  const readAgain = () => setRound((before) => before + 1);
  if (state?.name !== name) return <p class="hint">{say('loading')}</p>;
  if (state.result.kind === 'done') return <>{children(state.result, readAgain, state.aheadMs)}</>;
  return (
    <div class="notice bad row" role="alert">
      <span>{failureText(state.result)}</span>
      <button type="button" onClick={readAgain}>
        {say('again')}
      </button>
    </div>
  );
}
