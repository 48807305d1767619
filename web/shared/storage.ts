// storage.ts -- What the browser remembers, as a convenience: where storage is denied or full, the page remembers it while it is open.

const fallback = new Map<string, string>();

type Place = 'localStorage' | 'sessionStorage';

export function readStored(place: Place, name: string): string | null {
  try {
    return window[place].getItem(name) ?? fallback.get(name) ?? null;
  } catch {
    return fallback.get(name) ?? null;
  }
}

/** @param value null removes it */
export function store(place: Place, name: string, value: string | null): void {
  fallback.delete(name);
  try {
    if (value === null) window[place].removeItem(name);
    else window[place].setItem(name, value);
  } catch {
    if (value !== null) fallback.set(name, value);
  }
}
