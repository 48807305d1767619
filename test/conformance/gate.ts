// gate.ts -- Stands between a process and its stores: every command waits until the story lets it go, loses its reply, or ends the process.

/** A command as a story knows it: a script or command of Redis, the first word of a statement, or a call of another part. */
interface Waiting {
  readonly name: string;
  /** Carries it out, and gives its reply to the process, unless that is lost. */
  readonly release: (isLost: boolean) => Promise<void>;
  /** Carries it out for a process that is no more. */
  readonly carryOut: () => Promise<unknown>;
  readonly reject: (error: Error) => void;
}

/** What a process gets for a command after it was killed, or when the reply was lost. */
export class NoReply extends Error {
  override readonly name = 'NoReply';
}

/** A process that says nothing for so long will not go on. */
const SILENCE_MS_MAX = 10_000;

export class Gate {
  /** Answers a command without asking a store; undefined: the store is asked. */
  substitute: (name: string) => unknown = () => undefined;
  readonly #waiting: Waiting[] = [];
  readonly #onKill: (() => void)[] = [];
  #isDead = false;
  #wake = Promise.withResolvers<void>();

  ask<Reply>(name: string, carryOut: () => Promise<Reply>): Promise<Reply> {
    if (this.#isDead) return Promise.reject(new NoReply('the process was killed'));
    const substitute = this.substitute(name);
    if (substitute !== undefined) return Promise.resolve(substitute as Reply);
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    const release = async (isLost: boolean): Promise<void> => {
      // A refusal of the store is not a reply that could be lost on its way.
      await carryOut().then((reply) => (isLost ? reject(new NoReply('no reply')) : resolve(reply)), reject);
    };
    this.#waiting.push({ name, release, carryOut, reject });
    this.wake();
    return promise;
  }

  /** The next command; null when there is none after the process ended. */
  async next(hasEnded: () => boolean): Promise<Waiting | null> {
    for (;;) {
      const [first] = this.#waiting;
      if (first) return first;
      if (hasEnded()) {
        // What a process does not wait for, such as the release of a lock, follows its end.
        await new Promise((resolve) => setImmediate(resolve));
        return this.#waiting[0] ?? null;
      }
      this.#wake = Promise.withResolvers<void>();
      const timer = setTimeout(() => this.#wake.reject(new Error('the process does not go on')), SILENCE_MS_MAX);
      await this.#wake.promise.finally(() => clearTimeout(timer));
    }
  }

  wake(): void {
    this.#wake.resolve();
  }

  async release(command: Waiting, isLost: boolean): Promise<void> {
    this.#waiting.splice(this.#waiting.indexOf(command), 1);
    await command.release(isLost);
  }

  get names(): readonly string[] {
    return this.#waiting.map(({ name }) => name);
  }

  onKill(end: () => void): void {
    this.#onKill.push(end);
  }

  /** The process sends nothing any more. Returns the command that it was about to send. */
  kill(): Waiting | null {
    this.#isDead = true;
    const [first = null] = this.#waiting;
    for (const { reject } of this.#waiting.splice(0)) reject(new NoReply('the process was killed'));
    for (const end of this.#onKill) end();
    return first;
  }
}

export interface Advance {
  /** Up to, and without, one of these commands. */
  readonly until?: readonly string[];
  /** `until` counts only after this command. */
  readonly after?: string;
  /** The reply of this command is lost. */
  readonly lost?: string;
}

/** A process of a story: a function of the product with a gate of its own. */
export class Process<Result> {
  readonly gate: Gate;
  ended: { readonly value: Result } | { readonly error: unknown } | null = null;

  constructor(gate: Gate, run: () => Promise<Result>) {
    this.gate = gate;
    run()
      .then(
        (value) => {
          this.ended = { value };
        },
        (error: unknown) => {
          this.ended = { error };
        },
      )
      .finally(() => gate.wake());
  }

  /** Lets commands go: at least one, and the others up to a chosen one, or to the end of the process. */
  async advance({ until = [], after, lost }: Advance = {}): Promise<void> {
    let isPast = false;
    for (;;) {
      const command = await this.gate.next(() => this.ended !== null);
      if (!command || (isPast && until.includes(command.name))) return;
      await this.gate.release(command, command.name === lost);
      isPast ||= after === undefined || command.name === after;
    }
  }

  /** The process ends here. Returns the command that it was about to send. */
  kill(): { readonly name: string; readonly carryOut: () => Promise<unknown> } | null {
    return this.ended ? null : this.gate.kill();
  }
}
