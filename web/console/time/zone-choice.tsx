// zone-choice.tsx -- Chooses the time zone of every instant of the console, once for this device.

import { timeZone } from '../../shared/time-zone.ts';
import { say } from '../say.ts';

const STORED = 'time-zone';

const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
const all = ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')];

const stored = localStorage.getItem(STORED);
timeZone.value = stored !== null && all.includes(stored) ? stored : own;

export function ZoneChoice() {
  return (
    <select
      class="quiet zone"
      aria-label={say('timeZone')}
      value={timeZone.value ?? own}
      onChange={({ currentTarget }) => {
        timeZone.value = currentTarget.value;
        localStorage.setItem(STORED, currentTarget.value);
      }}
    >
      {[...new Set([own, ...all])].map((zone) => (
        <option key={zone}>{zone}</option>
      ))}
    </select>
  );
}
