// now.ts -- The clock of the server, as a view shows it: read again every second.

import { useEffect, useState } from 'preact/hooks';

/** @param aheadMs how far it is ahead of the clock of this computer */
export function useNowMs(aheadMs: number): number {
  const [, setTick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setTick((before) => before + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  return Date.now() + aheadMs;
}
