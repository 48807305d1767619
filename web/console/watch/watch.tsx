// watch.tsx -- One drop: as it happens, as it went, and what can be done with it.

import { useState } from 'preact/hooks';
import type { Coupon } from '../../../client/coupon-client.ts';
import { wholeNumber } from '../../shared/language.ts';
import { CodesCard } from '../codes/codes-card.tsx';
import { PauseButton } from '../coupons/pause-button.tsx';
import { Status } from '../coupons/status.tsx';
import { HistoryCard } from '../coupons/history-card.tsx';
import { Loaded } from '../loaded.tsx';
import { useNowMs } from '../now.ts';
import { addressOf } from '../place.ts';
import { PreflightCard } from '../preflight/preflight-card.tsx';
import { announce, announceFailure, say } from '../say.ts';
import { asOperator, mayChange } from '../session.ts';
import { AuditCard } from './audit.tsx';
import { DropCard } from './drop-card.tsx';
import { Age, Liveness } from './liveness.tsx';
import { Plots } from './plots.tsx';
import { ReportCard } from './report.tsx';
import { type Drop, useDrop } from './use-drop.ts';

export function Watch({ id }: { readonly id: number }) {
  const drop = useDrop(id);
  // Made on this page.
  const [changes, setChanges] = useState(0);
  // Another version is somebody's edit: the coupon is read again.
  return (
    <Loaded name={`watch ${id} ${drop.progress?.value.version ?? ''}`} read={({ coupons }) => coupons.read(id)}>
      {({ value: coupon }, readAgain, aheadMs) => (
        <>
          <Head
            coupon={coupon}
            drop={drop}
            aheadMs={aheadMs}
            onChanged={() => {
              readAgain();
              setChanges(changes + 1);
            }}
          />
          <Stock coupon={coupon} drop={drop} />
          <DropCard coupon={coupon} timeline={drop.timeline} />
          <Plots coupon={coupon} drop={drop} />
          <PreflightCard id={id} />
          <AuditCard id={id} />
          <CodesCard id={id} archived={coupon.dateArchived !== null} />
          <HistoryCard id={id} version={`${coupon.version} ${changes}`} />
          <ReportCard id={id} />
        </>
      )}
    </Loaded>
  );
}

interface HeadProps {
  readonly coupon: Coupon;
  readonly drop: Drop;
  readonly aheadMs: number;
  onChanged(): void;
}

function Head({ coupon, drop, aheadMs, onChanged }: HeadProps) {
  const { id, title } = coupon;
  const nowMs = useNowMs(aheadMs);
  const warmUp = async () => {
    const result = await asOperator(({ coupons }) => coupons.open(id));
    if (result.kind === 'done') announce(say('warmedUp'));
    else announceFailure(result);
    onChanged();
  };
  return (
    <div class="row spread top">
      <div class="title">
        <h1 tabIndex={-1}>{title}</h1>
        <p class="row tight">
          <Status coupon={coupon} nowMs={nowMs} left={drop.progress?.value.left ?? null} />
          <Liveness drop={drop} />
          {coupon.listed && <a href={`/drop/${id}`}>{say('dropPage')}</a>}
          <a href={addressOf({ kind: 'issues', id })}>{say('issues')}</a>
        </p>
      </div>
      {mayChange.value && (
        <div class="row">
          {coupon.dateArchived === null && (
            <>
              <button type="button" onClick={() => void warmUp()}>
                {say('warmUp')}
              </button>
              <a class="button" href={addressOf({ kind: 'edit', id })}>
                {say('edit')}
              </a>
            </>
          )}
          <a class="button" href={addressOf({ kind: 'duplicate', id })}>
            {say('duplicate')}
          </a>
          {coupon.dateArchived === null && <PauseButton coupon={coupon} onChanged={onChanged} />}
        </div>
      )}
    </div>
  );
}

function Stock({ coupon, drop: { progress, nowMs } }: { readonly coupon: Coupon; readonly drop: Drop }) {
  const total = coupon.totalQuantity;
  const issued = progress?.value.issued ?? coupon.issuedQuantity;
  const left = total === null ? null : (progress?.value.left ?? Math.max(0, total - issued));
  return (
    <section class="card stock" aria-label={say('plotLeft')}>
      <p>
        <strong class="number huge">{wholeNumber(left ?? issued)}</strong>{' '}
        <span class="hint">
          {left === null || total === null ? say('issuedSoFar') : `${say('left')} · ${say('leftOf', { total })}`}
        </span>
        <Age of={progress} nowMs={nowMs} />
      </p>
      {left !== null && total !== null && (
        <progress class="bar" value={left} max={total} aria-label={say('plotLeft')} />
      )}
    </section>
  );
}
