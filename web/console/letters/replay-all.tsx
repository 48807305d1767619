// replay-all.tsx -- Replays every dead letter that can be, one after the other, after a question.

import { useState } from 'preact/hooks';
import { Confirm } from '../confirm.tsx';
import { announce, announceFailure, say } from '../say.ts';
import { asOperator } from '../session.ts';

export function ReplayAll({ onChanged }: { onChanged(): void }) {
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    const replayed = await replayAll();
    if (replayed !== null) announce(say('replayedAll', { count: replayed }));
    setBusy(false);
    onChanged();
  };
  return (
    <div class="row">
      <button type="button" disabled={busy} onClick={() => setAsking(true)}>
        {say(busy ? 'replayingAll' : 'replayAll')}
      </button>
      {asking && (
        <Confirm
          question={say('replayAllSure')}
          verb={say('replayAll')}
          isDanger={false}
          onAnswer={(yes) => {
            setAsking(false);
            if (yes) void run();
          }}
        />
      )}
    </div>
  );
}

/** How many were put back; null after a failure, which is announced. Each once: one that comes back has its cause still. */
async function replayAll(): Promise<number | null> {
  const tried = new Set<string>();
  let replayed = 0;
  for (;;) {
    const listed = await asOperator((client) => client.deadLetters.list());
    if (listed.kind !== 'done') return failed(listed);
    const { deadLetters, more } = listed.value;
    const readable = deadLetters.filter(({ id, accepted }) => accepted !== null && !tried.has(id));
    for (const { id } of readable) {
      tried.add(id);
      const result = await asOperator((client) => client.deadLetters.replay(id));
      if (result.kind === 'done') replayed += 1;
      // Somebody else was faster.
      else if (result.problem?.code !== 'DEAD_LETTER_NOT_EXIST') return failed(result);
    }
    if (!more || readable.length === 0) return replayed;
  }
}

function failed(result: Parameters<typeof announceFailure>[0]): null {
  announceFailure(result);
  return null;
}
