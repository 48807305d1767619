// dead-letters.tsx -- Accepted issues that could not be written: replayed when the cause is gone, or discarded after a question.

import { useState } from 'preact/hooks';
import type { CouponClient, DeadLetterList, RequestResult } from '../../../client/coupon-client.ts';
import { instant, language } from '../../shared/language.ts';
import { Confirm } from '../confirm.tsx';
import { Fact } from '../fact.tsx';
import { Loaded } from '../loaded.tsx';
import { addressOf } from '../place.ts';
import { announce, announceFailure, say } from '../say.ts';
import { asOperator } from '../session.ts';
import { LetterContent } from './letter-content.tsx';
import { koreanReason } from './letter-texts.ts';
import { ReplayAll } from './replay-all.tsx';

type DeadLetter = DeadLetterList['deadLetters'][number];

export function DeadLetters() {
  return (
    <>
      <h1 tabIndex={-1}>{say('deadLetters')}</h1>
      <p class="hint wide-text">{say('deadWords')}</p>
      <Loaded name="dead letters" read={(client) => client.deadLetters.list()}>
        {({ value: { deadLetters, more } }, readAgain) =>
          deadLetters.length === 0 ? (
            <p class="card hint">{say('noDead')}</p>
          ) : (
            <>
              {more && <p class="notice">{say('deadMore')}</p>}
              <ReplayAll onChanged={readAgain} />
              <ul class="letters">
                {deadLetters.map((letter) => (
                  <Letter key={letter.id} letter={letter} onChanged={readAgain} />
                ))}
              </ul>
            </>
          )
        }
      </Loaded>
    </>
  );
}

function Letter({ letter, onChanged }: { readonly letter: DeadLetter; onChanged(): void }) {
  const [asking, setAsking] = useState(false);
  const { id, reason, couponId, users, accepted } = letter;
  const act = async (call: (client: CouponClient) => Promise<RequestResult<unknown>>, words: string) => {
    const result = await asOperator(call);
    if (result.kind === 'done') announce(words);
    else announceFailure(result);
    onChanged();
  };
  const isReadable = accepted !== null;
  return (
    <li class="card letter">
      <h2>{language.value === 'ko' ? koreanReason(reason) : reason}</h2>
      <dl class="facts">
        <Fact name={say('coupon')} value={couponId === null ? say('unreadable') : <CouponLink id={couponId} />} />
        <Fact name={say('users')} value={couponId === null ? '–' : String(users)} />
        <Fact name={say('sequences')} value={sequencesOf(letter)} />
        <Fact name={say('acceptedAt')} value={accepted === null ? '–' : instant(accepted)} />
      </dl>
      <LetterContent id={id} />
      <div class="row">
        {/* One that is `disabled` would not be reached by who wants to know why. */}
        <button
          type="button"
          class="primary"
          aria-label={`${say('replay')}: ${id}`}
          aria-disabled={!isReadable}
          aria-describedby={isReadable ? undefined : `why-${id}`}
          onClick={() => isReadable && void act((client) => client.deadLetters.replay(id), say('replayed'))}
        >
          {say('replay')}
        </button>
        <button type="button" class="danger" aria-label={`${say('discard')}: ${id}`} onClick={() => setAsking(true)}>
          {say('discard')}
        </button>
        {!isReadable && (
          <span class="hint" id={`why-${id}`}>
            {say('whyNoReplay')}
          </span>
        )}
        <span class="hint number push">{id}</span>
      </div>
      {asking && (
        <Confirm
          question={say('discardSure')}
          verb={say('discard')}
          onAnswer={(yes) => {
            setAsking(false);
            if (yes) void act((client) => client.deadLetters.discard(id), say('discarded'));
          }}
        />
      )}
    </li>
  );
}

function sequencesOf({ firstSequence, users }: DeadLetter): string {
  if (firstSequence === null) return '–';
  return users === 1 ? String(firstSequence) : `${firstSequence}–${firstSequence + users - 1}`;
}

function CouponLink({ id }: { readonly id: number }) {
  return <a href={addressOf({ kind: 'watch', id })}>#{id}</a>;
}
