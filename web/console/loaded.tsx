// loaded.tsx -- Something that is read from the API before it can be shown: loading, failed with a button to try again, or there; and its pages.

import { type ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { CouponClient, Done, RequestResult } from '../../client/coupon-client.ts';
import { failureText, say } from './say.ts';
import { asOperator } from './session.ts';

export interface LoadedProps<Value> {
  /**
   * Tells one reading from another: with another name it is read again, and what was read before stays until then, so that the focus does.
   * Where that would be wrong, give it another `key`.
   */
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
  if (state === null) return <p class="hint">{say('loading')}</p>;
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

export interface PageButtonsProps {
  /** What the page that is shown comes after; 0 for the first. */
  readonly after: number;
  /** What the next page comes after; null on the last. */
  readonly next: number | null;
  onPage(after: number): void;
}

/** The first page, and the next. Both stay where they are, so that the focus does. */
export function PageButtons({ after, next, onPage }: PageButtonsProps) {
  if (after === 0 && next === null) return null;
  const button = (name: 'first' | 'more', to: number | null) => (
    // A button that is `disabled` loses the focus.
    <button type="button" aria-disabled={to === null} onClick={() => to !== null && onPage(to)}>
      {say(name)}
    </button>
  );
  return (
    <div class="row">
      {button('first', after === 0 ? null : 0)}
      {button('more', next)}
    </div>
  );
}
