// receivers.ts -- The receivers of webhooks of a chaos run: they verify and keep everything that they are sent, and fail in every way that
// receivers do.

import { Webhook } from 'standardwebhooks';
import { type EventKind, eventKinds, type WebhookEvent } from '../../src/webhooks/events.ts';
import { waitUntil } from '../../tools/stack/wait-until.ts';
import type { Arrival, Received } from '../event-checker.ts';
import { ADMIN_KEY, type Cluster } from './cluster.ts';
import type { Fault } from './faults.ts';

/** The last one is how events come twice. */
export const outages = ['is down', 'does not answer', 'answers 500', 'takes events and answers 500'] as const;
type Outage = (typeof outages)[number];

const REGISTERED_MS_MAX = 30_000;
const LISTENING_MS_MAX = 10_000;

export class Receiver implements Received {
  readonly kinds: readonly EventKind[];
  readonly arrivals: Arrival[] = [];
  readonly forged: string[] = [];
  readonly counts = { requests: 0, notTaken: 0, outages: 0 };
  #webhook: Webhook | null = null;
  #path = '/';
  #outage: Outage | null = null;
  #server: ReturnType<typeof Bun.serve>;
  /** A server that was stopped has none. */
  readonly #port: number | undefined;
  #healing: NodeJS.Timeout | undefined;
  #healed = Promise.withResolvers<void>();
  /** Outages begin and end one after the other. */
  #turns: Promise<void> = Promise.resolve();

  constructor(kinds: readonly EventKind[]) {
    this.kinds = kinds;
    this.#server = this.#listen(0);
    this.#port = this.#server.port;
  }

  /** Registers it as operators do. What happens from then on must arrive. */
  async register({ port }: { readonly port: number }): Promise<void> {
    const isRegistered = async () => {
      // A webhook whose answer was lost is sent to another path, and told to go.
      this.#path = `/${crypto.randomUUID()}`;
      const response = await fetch(`http://127.0.0.1:${port}/v1/webhooks`, {
        method: 'POST',
        headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
        body: JSON.stringify({ url: `http://127.0.0.1:${this.#port}${this.#path}`, kinds: this.kinds }),
      });
      if (response.status === 503) return false;
      if (response.status !== 201) throw new Error(`a webhook: ${response.status} ${await response.text()}`);
      this.#webhook = new Webhook(((await response.json()) as { readonly secret: string }).secret);
      return true;
    };
    await waitUntil('a webhook to be registered', isRegistered, { waitMsMax: REGISTERED_MS_MAX });
  }

  /** Fails for so long, while everything else goes on. An earlier outage is not cut short. */
  fail(outage: Outage, forMs: number): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#outage !== null) return;
      this.counts.outages += 1;
      this.#outage = outage;
      this.#healed = Promise.withResolvers();
      if (outage === 'is down') await this.#server.stop(true);
      this.#healing = setTimeout(() => void this.heal(), forMs);
    });
  }

  /** Ends an outage. */
  heal(): Promise<void> {
    return this.#inTurn(() => this.#heal());
  }

  #inTurn(run: () => Promise<void>): Promise<void> {
    this.#turns = this.#turns.then(run);
    return this.#turns;
  }

  async #heal(): Promise<void> {
    clearTimeout(this.#healing);
    const wasDown = this.#outage === 'is down';
    this.#outage = null;
    this.#healed.resolve();
    // Another process may have the port for a moment, for a connection of its own.
    if (wasDown) await waitUntil('a receiver to listen', () => this.#listens(), { waitMsMax: LISTENING_MS_MAX });
  }

  async stop(): Promise<void> {
    clearTimeout(this.#healing);
    this.#healed.resolve();
    await this.#server.stop(true);
  }

  #listens(): boolean {
    try {
      this.#server = this.#listen(this.#port ?? 0);
      return true;
    } catch {
      return false;
    }
  }

  #listen(port: number): ReturnType<typeof Bun.serve> {
    return Bun.serve({ port, hostname: '127.0.0.1', fetch: (request) => this.#receive(request) });
  }

  async #receive(request: Request): Promise<Response> {
    if (new URL(request.url).pathname !== this.#path) return new Response(null, { status: 410 });
    this.counts.requests += 1;
    const body = await request.text();
    const outage = this.#outage;
    if (outage === null || outage === 'takes events and answers 500') this.#keep(request, body, outage === null);
    if (outage === null) return new Response(null, { status: 204 });
    this.counts.notTaken += 1;
    if (outage === 'does not answer') await this.#healed.promise;
    return new Response(null, { status: 500 });
  }

  #keep({ headers }: Request, body: string, isTaken: boolean): void {
    try {
      this.#webhook?.verify(body, Object.fromEntries(headers));
    } catch {
      this.forged.push(headers.get('webhook-id') ?? 'without an id');
      return;
    }
    const { data } = JSON.parse(body) as { readonly data: { readonly events: readonly WebhookEvent[] } };
    const atMs = Date.now();
    for (const event of data.events) this.arrivals.push({ event, atMs, isTaken });
  }
}

/** Two: one is sent everything; to the other no rows, so that its events wait for none. */
export function startReceivers(): readonly Receiver[] {
  return [new Receiver(eventKinds), new Receiver(eventKinds.filter((kind) => kind !== 'issue.created'))];
}

const OUTAGE_MS_MIN = 500;

/** A receiver fails while the next faults go on: as long as the run allows, or shorter. */
export function receiverFaults({ receivers }: Pick<Cluster, 'receivers'>, outageMsMax: number): readonly Fault[] {
  return outages.map((outage) => ({
    name: `a receiver of webhooks ${outage}`,
    async inflict(_, random) {
      const forMs = random.chance(0.5) ? outageMsMax : random.between(OUTAGE_MS_MIN, outageMsMax);
      await random.pick(receivers).fail(outage, forMs);
    },
  }));
}
