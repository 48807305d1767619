// places.ts -- Who may listen to events: places for all, of which no address and no user takes more than a few, and some for operators.

/** Who listens. `name` is the user, or the address; null where it is not known. */
export interface ListeningCaller {
  readonly kind: 'operator' | 'user' | 'address';
  readonly name: string | null;
}

export interface PlacesSettings {
  readonly LISTENERS_MAX: number;
  readonly LISTENERS_PER_USER_MAX: number;
  readonly LISTENERS_PER_ADDRESS_MAX: number;
  readonly LISTENERS_OPERATORS_MAX: number;
}

/** The place of one stream. */
export interface Place {
  /** Frees it, unless it is kept. */
  free(): void;
  /** Keeps it for a few seconds, though its stream ends. Returns the token by which the listener takes it again. */
  keep(): string;
}

/** Long enough for a listener that reconnects immediately over a slow network. */
export const KEEP_MS = 4000;

export class Places {
  readonly #settings: PlacesSettings;
  #operators = 0;
  #others = 0;
  /** Frees kept places, by token. Each is still counted, so there are never more than places. */
  readonly #kept = new Map<string, () => void>();
  /** Listeners by kind and name. */
  readonly #named = new Map<string, number>();

  constructor(settings: PlacesSettings) {
    this.#settings = settings;
  }

  /**
   * Takes a place, or says that all are taken, or all that this caller may have.
   *
   * @param token of a place that was kept: it is freed first, so that no one else can have it
   */
  take(caller: ListeningCaller, token?: string | null): Place | 'all taken' | 'own taken' {
    if (token) this.#kept.get(token)?.();
    const release = this.#count(caller);
    return typeof release === 'string' ? release : this.#place(once(release));
  }

  #place(release: () => void): Place {
    let isKept = false;
    return {
      free: () => {
        if (!isKept) release();
      },
      keep: () => {
        isKept = true;
        const token = crypto.randomUUID();
        const giveUp = () => {
          clearTimeout(timer);
          this.#kept.delete(token);
          release();
        };
        const timer = setTimeout(giveUp, KEEP_MS);
        this.#kept.set(token, giveUp);
        return token;
      },
    };
  }

  /** Counts a listener; returns the function that stops counting it. */
  #count({ kind, name }: ListeningCaller): (() => void) | 'all taken' | 'own taken' {
    const { LISTENERS_MAX, LISTENERS_PER_USER_MAX, LISTENERS_PER_ADDRESS_MAX, LISTENERS_OPERATORS_MAX } =
      this.#settings;
    if (kind === 'operator') {
      if (this.#operators >= LISTENERS_OPERATORS_MAX) return 'all taken';
      this.#operators += 1;
      return () => (this.#operators -= 1);
    }
    const key = name === null ? null : `${kind} ${name}`;
    const own = key === null ? 0 : (this.#named.get(key) ?? 0);
    if (own >= (kind === 'user' ? LISTENERS_PER_USER_MAX : LISTENERS_PER_ADDRESS_MAX)) return 'own taken';
    if (this.#others >= LISTENERS_MAX) return 'all taken';
    this.#others += 1;
    if (key !== null) this.#named.set(key, own + 1);
    return () => {
      this.#others -= 1;
      if (key !== null) this.#free(key);
    };
  }

  #free(key: string): void {
    const left = (this.#named.get(key) ?? 0) - 1;
    if (left > 0) this.#named.set(key, left);
    else this.#named.delete(key);
  }
}

function once(run: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) run();
    isDone = true;
  };
}
