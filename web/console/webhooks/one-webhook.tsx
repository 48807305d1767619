// one-webhook.tsx -- One webhook: paused and resumed, deleted, its deliveries a page at a time, and events sent again.

import { useState } from 'preact/hooks';
import type { CouponClient, DeliveryPage, RequestResult, Webhook } from '../../../client/coupon-client.ts';
import { instant } from '../../shared/language.ts';
import { Confirm } from '../confirm.tsx';
import { Fact } from '../fact.tsx';
import { Loaded } from '../loaded.tsx';
import { go } from '../place.ts';
import { announce, announceFailure, say } from '../say.ts';
import { asOperator } from '../session.ts';
import { WebhookState } from './webhooks.tsx';

export function OneWebhook({ id }: { readonly id: number }) {
  return (
    <Loaded name={`webhook ${id}`} read={(client) => client.webhooks.list()}>
      {({ value: { webhooks } }, readAgain) => {
        const webhook = webhooks.find((each) => each.id === id);
        return (
          <>
            <h1 tabIndex={-1} class="address">
              {webhook ? webhook.url : say('webhooks')}
            </h1>
            {webhook ? (
              <>
                <Controls webhook={webhook} onChanged={readAgain} />
                <Deliveries id={id} />
                <Replay id={id} />
              </>
            ) : (
              <p class="card hint">{say('noWebhooks')}</p>
            )}
          </>
        );
      }}
    </Loaded>
  );
}

/** Calls the API, and says what came of it. */
async function act(call: (client: CouponClient) => Promise<RequestResult<unknown>>, words: string): Promise<boolean> {
  const result = await asOperator(call);
  if (result.kind === 'done') announce(words);
  else announceFailure(result);
  return result.kind === 'done';
}

function Controls({ webhook, onChanged }: { readonly webhook: Webhook; onChanged(): void }) {
  const [asking, setAsking] = useState(false);
  const { id, state, kinds } = webhook;
  const isActive = state === 'active';
  const setPaused = async () => {
    await act(
      (client) => (isActive ? client.webhooks.pause(id) : client.webhooks.resume(id)),
      say(isActive ? 'webhookPaused' : 'webhookResumed'),
    );
    onChanged();
  };
  const remove = async () => {
    if (await act((client) => client.webhooks.remove(id), say('webhookRemoved'))) go({ kind: 'webhooks' });
  };
  return (
    <section class="card letter" aria-label={say('webhook')}>
      <WebhookState webhook={webhook} />
      <p class="hint">{kinds.map((kind) => say(kind)).join(', ')}</p>
      <div class="row">
        <button type="button" onClick={() => void setPaused()}>
          {say(isActive ? 'pause' : 'resume')}
        </button>
        <button type="button" class="danger" onClick={() => setAsking(true)}>
          {say('webhookRemove')}
        </button>
      </div>
      {asking && (
        <Confirm
          question={say('webhookRemoveSure')}
          verb={say('webhookRemove')}
          onAnswer={(yes) => {
            setAsking(false);
            if (yes) void remove();
          }}
        />
      )}
    </section>
  );
}

const LIMIT = 10;

function Deliveries({ id }: { readonly id: number }) {
  const [after, setAfter] = useState(0);
  return (
    <section class="card history" aria-labelledby="deliveries">
      <h2 id="deliveries">{say('webhookShow')}</h2>
      <Loaded
        name={`deliveries ${id} ${after}`}
        read={(client) => client.webhooks.deliveries(id, { after, limit: LIMIT })}
      >
        {({ value: { deliveries, next } }, readAgain) => (
          <>
            {deliveries.length === 0 && <p class="hint">{say('noDeliveries')}</p>}
            <ol class="entries">
              {deliveries.map((delivery) => (
                <Item key={delivery.id} delivery={delivery} />
              ))}
            </ol>
            <div class="row">
              <button type="button" onClick={readAgain}>
                {say('refresh')}
              </button>
              {after > 0 && (
                <button type="button" onClick={() => setAfter(0)}>
                  {say('first')}
                </button>
              )}
              {next !== null && (
                <button type="button" onClick={() => setAfter(next)}>
                  {say('more')}
                </button>
              )}
            </div>
          </>
        )}
      </Loaded>
    </section>
  );
}

function Item({ delivery }: { readonly delivery: DeliveryPage['deliveries'][number] }) {
  const { date, couponId, events, firstEvent, lastEvent, error, durationMs } = delivery;
  return (
    <li>
      <p class="row tight">
        <strong>{error === null ? say('delivered') : say('deliveryFailed', { error })}</strong>
        <span class="hint number push">{instant(date)}</span>
      </p>
      <dl class="facts">
        <Fact name={say('coupon')} value={`#${couponId}`} />
        <Fact name={say('deliveryEvents')} value={String(events)} />
        <Fact name={say('deliveryFrom')} value={firstEvent} />
        <Fact name={say('deliveryTo')} value={lastEvent} />
        <Fact name={say('deliveryTime')} value={say('milliseconds', { value: durationMs })} />
      </dl>
    </li>
  );
}

function Replay({ id }: { readonly id: number }) {
  const replay = (form: HTMLFormElement) => {
    const data = new FormData(form);
    const from = { couponId: Number(data.get('coupon')), after: Number(data.get('after')) };
    return act((client) => client.webhooks.replay(id, from), say('webhookReplayed'));
  };
  return (
    <form
      class="card letter"
      aria-labelledby="replay"
      onSubmit={(event) => {
        event.preventDefault();
        void replay(event.currentTarget);
      }}
    >
      <h2 id="replay">{say('webhookReplay')}</h2>
      <p class="hint">{say('webhookReplayHint')}</p>
      <div class="fields">
        <div class="field">
          <label for="coupon">{say('couponId')}</label>
          <input id="coupon" name="coupon" required inputMode="numeric" pattern="[1-9][0-9]{0,14}" autocomplete="off" />
        </div>
        <div class="field">
          <label for="after">{say('webhookReplayAfter')}</label>
          <input
            id="after"
            name="after"
            required
            inputMode="numeric"
            pattern="[0-9]{1,15}"
            defaultValue="0"
            autocomplete="off"
          />
        </div>
      </div>
      <div class="row">
        <button type="submit">{say('webhookReplay')}</button>
      </div>
    </form>
  );
}
