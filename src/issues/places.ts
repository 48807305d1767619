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

export class Places {
  readonly #settings: PlacesSettings;
  #operators = 0;
  #others = 0;
  /** Listeners by kind and name. */
  readonly #named = new Map<string, number>();

  constructor(settings: PlacesSettings) {
    this.#settings = settings;
  }

  /** Takes a place, and gives the function that frees it; or says that all are taken, or all that this caller may have. */
  take({ kind, name }: ListeningCaller): (() => void) | 'all taken' | 'own taken' {
    const { LISTENERS_MAX, LISTENERS_PER_USER_MAX, LISTENERS_PER_ADDRESS_MAX, LISTENERS_OPERATORS_MAX } =
      this.#settings;
    if (kind === 'operator') {
      if (this.#operators >= LISTENERS_OPERATORS_MAX) return 'all taken';
      this.#operators += 1;
      return once(() => (this.#operators -= 1));
    }
    const key = name === null ? null : `${kind} ${name}`;
    const own = key === null ? 0 : (this.#named.get(key) ?? 0);
    if (own >= (kind === 'user' ? LISTENERS_PER_USER_MAX : LISTENERS_PER_ADDRESS_MAX)) return 'own taken';
    if (this.#others >= LISTENERS_MAX) return 'all taken';
    this.#others += 1;
    if (key !== null) this.#named.set(key, own + 1);
    return once(() => {
      this.#others -= 1;
      if (key !== null) this.#free(key);
    });
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
